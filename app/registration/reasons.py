"""The messages for faults in the registration, in the words of its file and not in those of pydantic."""

from pydantic_core import ErrorDetails

# A message of our own for each type of error of pydantic, since those of the library speak of its types.
_REASONS = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
    "string_type": "must be a text",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "frozen_set_type": "must be a list",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "string_pattern_mismatch": "must be of the form {pattern}",
    "string_too_short": "must have at least {min_length} character",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must have at least {min_length} entry",
    "too_long": "must have at most {max_length} entries",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "literal_error": "must be one of {expected}",
    "enum": "must be one of {expected}",
    "union_tag_not_found": "needs the key {key}",
    "union_tag_invalid": "has a key {key} that is none of {expected_tags}",
}


def reason_of(fault: ErrorDetails) -> str:
    """Why the value is wrong. A message of our own validators is used as it is."""
    reason = _REASONS.get(fault["type"])
    if reason is None:
        return fault["msg"].removeprefix("Value error, ")
    context = fault.get("ctx", {})
    # Tables are told apart by a key, of which pydantic says both its own name for it and the file's.
    key = str(context.get("discriminator", "")).rpartition(" | ")[2].strip("'")
    return reason.format(key=key, **context)
