"""Networks on a CUDA device that is not there: shapes and devices only, nothing is computed."""

import torch
from torch import nn


def move_to_fake_cuda(module: nn.Module) -> None:
    """Replace parameters and buffers by CUDA ones without contents; inside ``FakeTensorMode``.

    Tensors that a module keeps in other attributes stay on the CPU, as with ``module.to("cuda")``:
    an operation that mixes the two raises.
    """
    for each in module.modules():
        for name, value in each._parameters.items():
            if value is not None:
                fake = torch.empty(value.shape, dtype=value.dtype, device="cuda")
                each._parameters[name] = nn.Parameter(fake, requires_grad=value.requires_grad)
        for name, buffer in each._buffers.items():
            if buffer is not None:
                each._buffers[name] = torch.empty(buffer.shape, dtype=buffer.dtype, device="cuda")
