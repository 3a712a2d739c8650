"""`python float16_gguf.py IN.gguf OUT.gguf`, in vLLM's environment: the same model in float16.

openvino-genai reads Q4_1 weights with a loss: SmolLM2's labels got log-probabilities up to 2.8 away from
what transformers computes from the same file. float16 weights it takes as they are (0.01 away).
"""

from __future__ import annotations

import sys


def main(source: str, target: str) -> None:
    import gguf
    import numpy as np

    read = gguf.GGUFReader(source)
    written = gguf.GGUFWriter(target, arch=read.fields["general.architecture"].contents())
    for field in read.fields.values():
        if field.name == "general.architecture" or field.name.startswith("GGUF."):
            continue
        listed = field.types[0] == gguf.GGUFValueType.ARRAY
        value = 1 if field.name == "general.file_type" else field.contents()  # 1: mostly float16
        written.add_key_value(field.name, value, field.types[0], sub_type=field.types[-1] if listed else None)
    for tensor in read.tensors:
        if tensor.tensor_type == gguf.GGMLQuantizationType.F32:
            written.add_tensor(tensor.name, tensor.data)
        else:
            whole = gguf.dequantize(tensor.data, tensor.tensor_type)
            written.add_tensor(tensor.name, whole.astype(np.float16))
    written.write_header_to_file()
    written.write_kv_data_to_file()
    written.write_tensors_to_file()
    written.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
