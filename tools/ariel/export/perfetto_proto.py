# SPDX-License-Identifier: Apache-2.0
"""The messages of Perfetto's TrackEvent protobuf that the export writes, with the field numbers that Perfetto publishes
(protos/perfetto/trace in its source), and a way to write many packets of one form at once."""

import numpy
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

KIND = descriptor_pb2.FieldDescriptorProto
TYPES = {"uint64": KIND.TYPE_UINT64, "uint32": KIND.TYPE_UINT32, "int64": KIND.TYPE_INT64, "int32": KIND.TYPE_INT32,
         "string": KIND.TYPE_STRING, "bytes": KIND.TYPE_BYTES, "bool": KIND.TYPE_BOOL}
PACKAGE = "perfetto.protos"
SLICE_BEGIN, SLICE_END, INSTANT = 1, 2, 3  # TrackEvent.Type
STATE_CLEARED, NEEDS_STATE = 1, 2          # TracePacket.SequenceFlags

# message: its fields as (name, number, type); "repeated" before a type that may stand there several times. What is no type
# of TYPES is a message.
MESSAGES = {
    "Trace": (("packet", 1, "repeated TracePacket"),),
    "TracePacket": (("timestamp", 8, "uint64"), ("trusted_packet_sequence_id", 10, "uint32"), ("track_event", 11, "TrackEvent"),
                    ("interned_data", 12, "InternedData"), ("sequence_flags", 13, "uint32"),
                    ("track_descriptor", 60, "TrackDescriptor"), ("first_packet_on_sequence", 87, "bool")),
    "TrackEvent": (("category_iids", 3, "repeated uint64"), ("debug_annotations", 4, "repeated DebugAnnotation"),
                   ("type", 9, "uint32"), ("name_iid", 10, "uint64"), ("track_uuid", 11, "uint64"), ("name", 23, "string")),
    "DebugAnnotation": (("name_iid", 1, "uint64"), ("uint_value", 3, "uint64"), ("pointer_value", 7, "uint64"),
                        ("string_value_iid", 17, "uint64")),
    "TrackDescriptor": (("uuid", 1, "uint64"), ("name", 2, "string"), ("process", 3, "ProcessDescriptor"),
                        ("thread", 4, "ThreadDescriptor"), ("parent_uuid", 5, "uint64")),
    "ProcessDescriptor": (("pid", 1, "int32"), ("process_name", 6, "string")),
    "ThreadDescriptor": (("pid", 1, "int32"), ("tid", 2, "int64"), ("thread_name", 5, "string")),
    "InternedData": (("event_categories", 1, "repeated Interned"), ("event_names", 2, "repeated Interned"),
                     ("debug_annotation_names", 3, "repeated Interned"),
                     ("debug_annotation_string_values", 29, "repeated InternedString")),
    "Interned": (("iid", 1, "uint64"), ("name", 2, "string")),  # EventCategory, EventName, DebugAnnotationName
    "InternedString": (("iid", 1, "uint64"), ("str", 2, "bytes")),
}


def make_classes():
    """{message: its Python class} for the table above."""
    file = descriptor_pb2.FileDescriptorProto(name="ariel/perfetto.proto", package=PACKAGE, syntax="proto2")
    for message, fields in MESSAGES.items():
        made = file.message_type.add(name=message)
        for name, number, words in fields:
            repeated, kind = words.startswith("repeated "), words.removeprefix("repeated ")
            field = made.field.add(name=name, number=number, label=KIND.LABEL_REPEATED if repeated else KIND.LABEL_OPTIONAL)
            field.type = TYPES.get(kind, KIND.TYPE_MESSAGE)
            if kind not in TYPES:
                field.type_name = f".{PACKAGE}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    descriptors = {message: pool.FindMessageTypeByName(f"{PACKAGE}.{message}") for message in MESSAGES}
    if hasattr(message_factory, "GetMessageClass"):  # since protobuf 4.22
        return {message: message_factory.GetMessageClass(found) for message, found in descriptors.items()}
    factory = message_factory.MessageFactory(pool)
    return {message: factory.GetPrototype(found) for message, found in descriptors.items()}


CLASSES = make_classes()
Trace, TracePacket = CLASSES["Trace"], CLASSES["TracePacket"]


def varint(value):
    data = b""
    while value >= 0x80:
        data, value = data + bytes([value & 0x7f | 0x80]), value >> 7
    return data + bytes([value])


class Form:
    """Packets that differ in some numbers only. protobuf writes one packet, in which each such number is a place holder
    of the most bytes that it may take. A number of 64 bits in seven-bit groups is still that number with zero groups
    behind it, so that all packets have the same length and numpy can fill in a column of numbers at a time.

    fill: a function that gets a fresh TracePacket and a dict of the place holders. columns: {name: bytes of the number}."""

    def __init__(self, fill, columns):
        holders = {name: (1 << 7 * width - 7) + 0x2a55 * (place + 1) for place, (name, width) in enumerate(columns.items())}
        trace = Trace()
        fill(trace.packet.add(), holders)
        self.bytes = trace.SerializeToString()
        self.places = {}
        for name, value in holders.items():
            assert self.bytes.count(varint(value)) == 1 and len(varint(value)) == columns[name]
            self.places[name] = self.bytes.index(varint(value)), columns[name]

    def packets(self, count, columns):
        """count packets as an array of bytes (count, length). columns: {name: array of numbers, or one for all}."""
        made = numpy.empty((count, len(self.bytes)), "u1")
        made[:] = numpy.frombuffer(self.bytes, "u1")
        for name, (place, width) in self.places.items():
            left = numpy.asarray(columns[name]).astype("u8")
            for byte in range(width):
                more = 0x80 if byte < width - 1 else 0
                made[:, place + byte] = (left >> numpy.uint64(7 * byte)) & numpy.uint64(0x7f) | numpy.uint64(more)
        return made
