"""The GraphQL shape of the state: documents in, payloads out. It knows no wire."""
