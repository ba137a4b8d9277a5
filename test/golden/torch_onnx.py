"""Small networks as PyTorch exports them to ONNX, at several opsets, with what PyTorch computes for them in float64.

The model of a case is the tensor `model`: the bytes of the file. Inputs of other sizes than those of the export try
its open dimensions.
"""

import io
import warnings

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from golden import Case, write_family

warnings.filterwarnings('ignore')


class Residual(nn.Module):
    """Convolutions with BatchNorm, a shortcut, pooling, and a linear end."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.body = nn.Sequential(
            nn.Conv2d(8, 8, 3, 1, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, 1, 1), nn.BatchNorm2d(8))
        self.wide = nn.Conv2d(8, 12, 1, 2)
        self.out = nn.Linear(12, 5)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.norm(self.stem(x))), 3, 2, 1)
        x = F.relu(self.body(x) + x)
        x = F.adaptive_avg_pool2d(F.relu(self.wide(x)), 1)
        return F.log_softmax(self.out(torch.flatten(x, 1)), 1)


class Pyramid(nn.Module):
    """Depthwise convolutions, HardSwish, squeeze and excitation, both kinds of resizing, Concat, ConvTranspose, Clip."""

    def __init__(self):
        super().__init__()
        self.expand = nn.Conv2d(3, 12, 1)
        self.deep = nn.Conv2d(12, 12, 5, (2, 1), 2, groups=12)
        self.squeeze, self.excite = nn.Conv2d(12, 4, 1), nn.Conv2d(4, 12, 1)
        self.lateral = nn.Conv2d(3, 4, 3, 1, 2, dilation=2)
        self.up = nn.ConvTranspose2d(16, 3, 2, 2)

    def forward(self, x):
        y = F.hardswish(self.deep(F.hardswish(self.expand(x))))
        gate = F.hardsigmoid(self.excite(F.relu(self.squeeze(y.mean((2, 3), keepdim=True)))))
        y = F.interpolate(y * gate, size=x.shape[2:], mode='bilinear', align_corners=False)
        z = F.interpolate(F.avg_pool2d(F.leaky_relu(self.lateral(x), 0.1), 2), scale_factor=2, mode='nearest')
        h, w = y.shape[2:]
        z = F.pad(z, (0, 1, 0, 1))[:, :, :h, :w]
        return torch.clamp(self.up(torch.cat([y, z], 1)), -1.5, 1.5)


class Attention(nn.Module):
    """What sequence models are made of: LayerNorm, batched products, Softmax, GELU, transposes."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.LayerNorm(12), nn.LayerNorm(12)
        self.qkv, self.project = nn.Linear(12, 36), nn.Linear(12, 12)
        self.grow, self.shrink = nn.Linear(12, 24), nn.Linear(24, 12)

    def forward(self, x):
        n, length, width = x.shape
        q, k, v = self.qkv(self.first(x)).reshape(n, length, 3, 3, width // 3).permute(2, 0, 3, 1, 4)
        weights = torch.softmax(q @ k.transpose(-2, -1) * (width // 3) ** -0.5, -1)
        x = x + self.project((weights @ v).transpose(1, 2).reshape(n, length, width))
        return x + self.shrink(F.gelu(self.grow(self.second(x))))


NETWORKS = {
    'residual': (Residual, (1, 3, 20, 20), {0: 'batch', 2: 'height', 3: 'width'}, (2, 3, 17, 26)),
    'pyramid': (Pyramid, (1, 3, 12, 10), {2: 'height', 3: 'width'}, (1, 3, 9, 15)),
    'attention': (Attention, (1, 6, 12), {0: 'batch', 1: 'length'}, (3, 9, 12)),
}


def export(network, x, axes, opset):
    file = io.BytesIO()
    torch.onnx.export(network, x, file, opset_version=opset, input_names=['x'], output_names=['y'],
                      dynamic_axes={'x': axes, 'y': {}}, do_constant_folding=opset != 11)
    return np.frombuffer(file.getvalue(), dtype=np.uint8)


def settle(network):
    """Running statistics that are neither 0 nor 1."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    return network.eval()


def make():
    for name, (build, shape, axes, other) in NETWORKS.items():
        for opset in (9, 11, 13, 17):
            if name == 'pyramid' and opset == 9:
                continue  # bilinear resizing to another size came with opset 11
            torch.manual_seed(opset)
            network = settle(build())
            case = Case(f'{name} at opset {opset}', 'prepareNetwork')
            case.give('model', export(network, torch.zeros(shape), axes, opset), 'uint8')
            exact = network.double()
            for label, size in (('as exported', shape), ('of other sizes', other)):
                x = case.draw(f'x {label}', size)
                case.expect(f'y {label}', exact(torch.from_numpy(x)).detach().numpy())
            yield case


write_family('torch_onnx', f'PyTorch {torch.__version__}', list(make()))
