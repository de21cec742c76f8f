"""Conversion: the tensors of a model file, whatever stands around them, written as safetensors and proved equal."""
