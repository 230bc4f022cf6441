"""REST under ``/v1`` (contract, section 5): one module a noun, snake_case JSON, RFC 9457 errors."""
