"""Writes a GGUF file with its matrices in another type: quantise.py FROM TYPE TO."""

import sys

import gguf
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter, quants


def main(source: str, type_name: str, target: str) -> None:
    reader = GGUFReader(source)
    type_ = GGMLQuantizationType[type_name]
    writer = GGUFWriter(target, reader.get_field("general.architecture").contents())
    for name, field in reader.fields.items():
        # The writer puts the header's own fields, and the architecture is given.
        if name.startswith("GGUF.") or name == "general.architecture":
            continue
        if name == "general.file_type":
            writer.add_file_type(gguf.LlamaFileType["MOSTLY_" + type_name])
            continue
        kind, *items = field.types
        item = items[-1] if kind == GGUFValueType.ARRAY else None
        writer.add_key_value(name, field.contents(), kind, item)
    for tensor in reader.tensors:
        values = quants.dequantize(tensor.data, tensor.tensor_type)
        # Vectors stay as they are, as in llama.cpp's own files.
        to = type_ if len(tensor.shape) > 1 else GGMLQuantizationType.F32
        writer.add_tensor(tensor.name, quants.quantize(values, to), raw_dtype=to)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


main(*sys.argv[1:])
