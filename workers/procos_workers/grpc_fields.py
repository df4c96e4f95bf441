"""What a message's fields are, in the words for a person who writes JSON."""

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from procos_workers.grpc_names import listed

_KINDS = {
    FieldDescriptor.TYPE_DOUBLE: "a number",
    FieldDescriptor.TYPE_FLOAT: "a number",
    FieldDescriptor.TYPE_INT64: "a 64-bit whole number, as text",
    FieldDescriptor.TYPE_SINT64: "a 64-bit whole number, as text",
    FieldDescriptor.TYPE_SFIXED64: "a 64-bit whole number, as text",
    FieldDescriptor.TYPE_UINT64: "a 64-bit whole number, not negative, as text",
    FieldDescriptor.TYPE_FIXED64: "a 64-bit whole number, not negative, as text",
    FieldDescriptor.TYPE_INT32: "a 32-bit whole number",
    FieldDescriptor.TYPE_SINT32: "a 32-bit whole number",
    FieldDescriptor.TYPE_SFIXED32: "a 32-bit whole number",
    FieldDescriptor.TYPE_UINT32: "a 32-bit whole number, not negative",
    FieldDescriptor.TYPE_FIXED32: "a 32-bit whole number, not negative",
    FieldDescriptor.TYPE_BOOL: "true or false",
    FieldDescriptor.TYPE_STRING: "text",
    FieldDescriptor.TYPE_BYTES: "bytes, as text in base64",
}
_WELL_KNOWN_KINDS = {
    "Timestamp": 'a moment, as text such as "2026-01-31T12:00:00Z"',
    "Duration": 'a duration in seconds, as text such as "1.5s"',
    "FieldMask": 'paths of fields, as text such as "name,address.city"',
    "Any": 'an object with "@type" and the fields of that type',
    "Struct": "an object",
    "ListValue": "an array",
    "Value": "any JSON",
}


def field_named(descriptor: Descriptor, name: str) -> FieldDescriptor | None:
    """The field by its name in JSON or in the proto, None if there is none."""
    return next((field for field in descriptor.fields if name in {field.name, field.json_name}), None)


def kind_of(field: FieldDescriptor) -> str:
    """What is expected as the field's value, or as one of its values."""
    if field.enum_type is not None:
        return f"one of {listed([value.name for value in field.enum_type.values])}"
    if field.message_type is not None:
        return kind_of_message(field.message_type)
    return _KINDS.get(field.type, "another type")


def kind_of_message(descriptor: Descriptor) -> str:
    """What is expected where such a message belongs."""
    if not is_well_known_type(descriptor):
        return f"an object ({descriptor.full_name})"
    if descriptor.name in _WELL_KNOWN_KINDS:
        return _WELL_KNOWN_KINDS[descriptor.name]
    return kind_of(descriptor.fields_by_name["value"])


def is_well_known_type(descriptor: Descriptor) -> bool:
    """Whether JSON has a notation of its own for such a message."""
    name = descriptor.name
    if descriptor.full_name != f"google.protobuf.{name}":
        return False
    return name in _WELL_KNOWN_KINDS or (name.endswith("Value") and "value" in descriptor.fields_by_name)


def is_repeated(field: FieldDescriptor) -> bool:
    """Whether the field is an array in JSON, or an object if it is a map."""
    # Protobuf before 6.31 has only the label, later ones warn of it.
    one: object = getattr(field, "is_repeated", None)
    return one is True or (one is None and getattr(field, "label", None) == FieldDescriptor.LABEL_REPEATED)


def is_map(field: FieldDescriptor) -> bool:
    """Whether the field is an object with any keys in JSON."""
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def entry_of(field: FieldDescriptor) -> dict[str, FieldDescriptor]:
    """The two fields of a map's entries, `key` and `value`."""
    return {each.name: each for each in field.message_type.fields} if field.message_type else {}
