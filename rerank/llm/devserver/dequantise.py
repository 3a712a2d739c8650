"""`python dequantise.py FILE.gguf FOLDER`, in vLLM's environment: writes the model as transformers has it.

vLLM's CPU backend reads no GGUF. float32 holds every value of the quantised file; bfloat16 would round them
a second time.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main(file: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    whole = {"quantization_config": GgufConfig(dequantize=True), "dtype": torch.float32}
    model = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, **whole)
    tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    if not tokenizer.chat_template:
        sys.exit(f"{file.name} has no chat template: it is no model for chat")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
