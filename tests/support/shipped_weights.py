"""Names of the networks whose weights are in the package."""

from pathlib import Path

from model.zoo import shipped

SHIPPED = sorted(Path(file).stem for file in shipped() if file.endswith(".safetensors"))
