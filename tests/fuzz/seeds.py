"""Where each target begins: what is right, and what was once taken wrongly."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["SEEDS"]

_INIT = b'{"type":"connection_init","payload":{"Authorization":"Bearer x"}}'
_SUBSCRIBE = (
    b'{"type":"subscribe","id":"1","payload":{"query":"{cursor}","operationName":null,'
    b'"variables":{"a":[1,2.5e3,true,"\\ud83e\\udd8a"]},"extensions":{"cursor":"e:1"}}}'
)
_PING = b'{"type":"ping","payload":{"a":{"b":[null]}}}'
_ALERT = (
    b'{"status":"firing","labels":{"alertname":"a","severity":"critical","service":"s"},'
    b'"annotations":{"summary":"s","runbook_url":"http://x"},"startsAt":"2026-01-02T03:04:05Z",'
    b'"endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://y","fingerprint":"00ff"}'
)
_PROXY_2 = b"\r\n\r\n\0\r\nQUIT\n"

SEEDS: Final[Mapping[str, tuple[bytes, ...]]] = MappingProxyType(
    {
        "messages": (
            _INIT,
            _SUBSCRIBE,
            _PING,
            b'{"type":"complete","id":"1"}',
            b'{"type":"connection_terminate"}',
            b'{"type":"ping","payload":{"\\ud800":"\\u0000"}}',
        ),
        "protocol": (
            b"\n".join([_INIT, _SUBSCRIBE, _PING, b'{"type":"complete","id":"1"}']),
            b"\n".join([_INIT, _SUBSCRIBE, _SUBSCRIBE]),
            b"\n".join([_INIT, _INIT]),
            b"\0" + _PING,
        ),
        "cursor": (b"epoch:0", b"0aZ_-:999999999999999999", b"e:01", b"e:\xd9\xa1"),
        "documents": (
            b"subscription S($s:[Severity!]=[P0]){incidentUpdates(severities:$s){updateType"
            b" incident{id title}}}",
            b"query Q($id:UUID!){a:incident(id:$id){...F @include(if:true)}} fragment F on Incident"
            b"{id state comments{body}}",
            b'mutation{submitAlert(input:{source:"s",title:"""t""",description:"d",severity:P0}){'
            b"alertId}}",
            b"{__schema{types{name fields{name}}}}",
            b"{incidents(first:3,filter:{labels:{a:1}}){edges{cursor node{id}}}}",
        ),
        "traceparent": (
            b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            b"01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        ),
        "auth": (
            b"Authorization: Bearer a.b.c\nX-API-Key: lim_name_key",
            b'{"sub":"a","roles":["ADMIN"],"exp":1e10,"nbf":1,"selectors":{"tenant":"acme"}}',
            b'{"role":"viewer","scope":"a b","iat":"x"}',
        ),
        "proxy_header": (
            b"PROXY TCP4 192.0.2.1 192.0.2.2 1 65535\r\nGET",
            b"PROXY TCP6 2001:db8::1 ::1 1 2\r\n",
            b"PROXY UNKNOWN what ever\r\n",
            _PROXY_2 + b"\x21\x11\0\x0c" + bytes(12) + b"GET",
            _PROXY_2 + b"\x21\x21\0\x24" + bytes(36),
            _PROXY_2 + b"\x20\0\0\0",
            _PROXY_2 + b"\x21\x31\0\xd8" + bytes(216),
        ),
        "forwarded": (
            b"X-Forwarded-For: 192.0.2.1, 10.0.0.1:80, [2001:db8::1]:443\nX-Forwarded-Proto: https",
            b'Forwarded: for="[2001:db8::1]:4711";proto=https;host=a.example, for=192.0.2.1',
            b'forwarded: for=unknown;by=_x, For="_gazonk" ; PROTO=http',
        ),
        "rest": (
            b'{"source":"s","title":"t","description":"d","severity":"p1","labels":{"a":"b"},'
            b'"affected_services":["x"],"timestamp":"2026-01-02T03:04:05.678+01:00"}',
            b"first=3&after=abc&severity=P0&state=NEW&label=a:b&order=desc&created_after=2026-01-01",
        ),
        "alertmanager": (
            b'{"version":"4","alerts":[' + _ALERT + b"]}",
            b"[" + _ALERT + b"]",
        ),
        "datetimes": (b"2026-01-02T03:04:05Z", b"2026-12-31t23:59:60.123456789-23:59"),
    }
)
