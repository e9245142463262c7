"""What the schemas cannot say: names are counted in bytes, updates and messages are Yjs's."""

import schemathesis
from hypothesis import strategies as st

NOTHING = b"\x00\x00"
# Client 1 writes "ab" into the text "t".
WRITING = bytes.fromhex("0101010004010174026162" "00")
QUESTION = b"\x00\x00\x01\x00"
PRESENCE = b"\x01\x01\x00"

schemathesis.openapi.media_type(
    "application/octet-stream",
    st.sampled_from([NOTHING, WRITING, QUESTION, PRESENCE]) | st.binary(min_size=1, max_size=64),
)


def fits(name):
    """False for a name that the schema allows and that has too many bytes."""
    return not isinstance(name, str) or len(name) > 256 or len(name.encode(errors="replace")) <= 256


@schemathesis.hook
def filter_path_parameters(context, path_parameters):
    return fits((path_parameters or {}).get("name"))


@schemathesis.hook
def filter_query(context, query):
    after = (query or {}).get("after") if not isinstance(query, str) else None
    return not isinstance(after, str) or fits(after.split(".", 1)[-1])


@schemathesis.hook
def filter_body(context, body):
    return not isinstance(body, dict) or fits(body.get("name"))
