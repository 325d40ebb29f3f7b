"""What an editor can check of a text: regular expressions for the JSON Schema.

They are those of ECMA 262 that Python knows, too. Each takes whatever loading takes, and refuses as
much else as an expression can; no two ways of reading a text lead through one, so that none of
them takes long.
"""

_OTHER = r"[^\x00-\xa0\u200b-\u200f\u2028-\u202e]"
_LETTER = rf"(?:[A-Za-z0-9_]|{_OTHER})"
_INNER = rf"(?:[A-Za-z0-9_-]|{_OTHER})"
_LABEL = rf"{_LETTER}(?:{_INNER}{{0,61}}{_LETTER})?"
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"(?:{_OCTET}\.){{3}}{_OCTET}"
_ENDS_IN_NUMBER = r"(?:[\x00-\x7f]*\.)?[0-9]+\.?"
_NAME = rf"{_LABEL}(?:\.{_LABEL})*\.?"

_PORT = (
    r"0{0,4}(?:6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}"
    r"|[1-9][0-9]{0,3})"
)
_IPV6 = r"[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*"
_HOST = rf"(?:\[{_IPV6}\]|{_IPV4}\.?|(?!{_ENDS_IN_NUMBER}(?:[:/]|$)){_NAME})"
_SERVER = rf"[Hh][Tt][Tt][Pp][Ss]?://{_HOST}(?::{_PORT})?"

DOMAIN = rf"^(?:\*\.)?(?:{_IPV4}\.?|(?!{_ENDS_IN_NUMBER}$){_NAME})$"
UPSTREAM = rf"^{_SERVER}/?$"
LOCATION_UPSTREAM = rf"^{_SERVER}(?:/[^\s?#$@\"'`;{{}}\\<>|^]*)?$"
WITHOUT_PATH = r"^[^/]*//[^/]*$|\$\{"

_IN_PATH = r"[^\s;{}\"'#]"
_ENDS_PATH = r"[^\s;{}\"'#\\]"
LOCATION_PATH = (
    rf"^(?! *\^~[ \t]*/ *$) *(?:(?:=|\^~)?[ \t]*/(?:{_IN_PATH}*{_ENDS_PATH})?"
    rf"|~\*?[ \t]*{_IN_PATH}*{_ENDS_PATH}) *$"
)
REGEX = r"^ *~"
HEALTH_PATH = r"^/[!\"$-~]*$"
RESOLVER = rf"^(?:{_IPV4}(?::{_PORT})?|\[[0-9A-Fa-f:.]+\](?::{_PORT})?|{_IPV6}(?:%.+)?)$"

VARIABLE = r"\$\{[A-Za-z_][A-Za-z0-9_]*(?::-[^{}]*)?\}"
NGINX = rf"^(?:\$\$\{{|{VARIABLE}|\$(?!\{{|\$\{{)|[^$\x00])*$"
"""nginx configuration, in which a variable is complete, or escaped."""

STATUSES = (
    r"^(?:[1-5][0-9]{2}|1[0-9]{2}-[1-5][0-9]{2}|2[0-9]{2}-[2-5][0-9]{2}|3[0-9]{2}-[3-5][0-9]{2}"
    r"|4[0-9]{2}-[45][0-9]{2}|5[0-9]{2}-5[0-9]{2})$"
)
SHARE = r"^(?:0?[0-9]{1,2}(?:\.[0-9]{1,6})?|100(?:\.0{1,6})?)%$"

_PARTS = "".join(rf"(?:[0-9]+(?:\.[0-9]+)?{unit})?" for unit in ("w", "d", "h", "m", "s", "ms"))
_YEARS = r"0*(?:36[6-9]|3[7-9][0-9]|[4-9][0-9]{2}|[0-9]{4,})(?:\.[0-9]+)?d"
DURATION = rf"^(?=.*[1-9])(?!{_YEARS}){_PARTS}$"
SECOND = rf"^(?=.*[1-9])(?!{_YEARS})(?!0*[0-9]{{1,3}}(?:\.[0-9]+)?ms$){_PARTS}$"
"""The same, of a second at least."""
