"""Excitation Backpropagation: which cells a unit of evidence was made of.

Zhang et al., Top-down Neural Attention by Excitation Backprop (ECCV 2016). A winner of a layer
passes its probability to its inputs in proportion to a_i max(w_ij, 0). With z = W+ a this is

    P_in = a * (W+)^T (P_out / z),

one vector-Jacobian product of the layer with its negative weights cut, so all maps of an
image pass a layer at once.
"""

import operator
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch.func import functional_call, vjp, vmap
from torch.nn.modules.batchnorm import _BatchNorm

from mmlabelpenet.utils import in_evaluation

# Added to inputs and weights: where nothing excites, all inputs get the same mass.
TINY = 1e-9
# Layers that a rule is known for.
LEAVES = (
    nn.Conv2d,
    nn.Linear,
    nn.AvgPool2d,
    nn.AdaptiveAvgPool2d,
    nn.MaxPool2d,
    nn.AdaptiveMaxPool2d,
    nn.Flatten,
    _BatchNorm,
    nn.ReLU,
    nn.ReLU6,
    nn.Identity,
    nn.Dropout,
)
# Functions, and methods by their names, of each rule.
RULES = {
    'elementwise': {
        F.relu,
        F.relu6,
        torch.relu,
        F.dropout,
        'relu',
        'relu_',
        'contiguous',
        'clone',
    },
    'reshaping': {torch.flatten, 'flatten', 'view', 'reshape'},
    'sum': {operator.add, operator.iadd, torch.add, 'add', 'add_'},
    'cat': {torch.cat},
}


def excite_linear(layer: Callable[[Tensor], Tensor], activation: Tensor, mass: Tensor) -> Tensor:
    """Propagate mass back through a linear layer without bias and without negative weights.

    Args:
        layer: Maps [1, ...] to [1, ...].
        activation: Its input [1, ...]; negative values excite nothing.
        mass: [K, ...] at its output.

    Returns:
        [K, ...] at its input, each of the K with the sum that it came with.
    """
    activation = activation.clamp(min=0) + TINY
    total, pull = vjp(layer, activation)
    shares = mass / total.clamp(min=torch.finfo(total.dtype).tiny)
    return activation * vmap(lambda share: pull(share[None])[0][0])(shares)


def excite_maximum(layer: Callable[[Tensor], Tensor], activation: Tensor, mass: Tensor) -> Tensor:
    """Propagate mass back to the elements that won a max pooling; shapes as in excite_linear."""
    _, pull = vjp(layer, activation)
    return vmap(lambda one: pull(one[None])[0][0])(mass)


def excite_sum(first: Tensor, second: Tensor, mass: Tensor) -> tuple[Tensor, Tensor]:
    """Split mass [K, ...] between two summands [1, ...] by what each contributed."""
    first, second = (part.clamp(min=0) + TINY for part in (first, second))
    share = first / (first + second)
    return mass * share, mass * (1 - share)


def positive_layer(layer: nn.Module, scale: Tensor | None = None) -> Callable[[Tensor], Tensor]:
    """The layer with its positive weights alone, and no bias.

    Args:
        layer: A linear layer or a convolution of any geometry.
        scale: [out_channels], the factor of a batch norm that follows, which is folded in.
    """
    weight = layer.weight.detach().float()
    if scale is not None:
        weight = weight * scale.view(-1, *[1] * (weight.dim() - 1))
    changed = {'weight': weight.clamp(min=0) + TINY}
    if layer.bias is not None:
        changed['bias'] = torch.zeros_like(layer.bias, dtype=torch.float32)
    return lambda x: functional_call(layer, changed, (x,))


class _Tracer(fx.Tracer):
    """Does not trace into the layers of ``LEAVES``."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, LEAVES)


class Excitation:
    """A recorded forward pass of a module, for propagating mass back through it.

    The module's own code is read once (torch.fx) and run without gradient, in float32 and in
    evaluation mode; nothing of it is changed. Batch norm is folded into the layer before it.

    Args:
        module: From one tensor to one tensor, made of convolutions, linear layers, batch norm,
            ReLU or ReLU6, pooling, residual sums and concatenations.
        x: Its input [1, ...] of one image.

    Raises:
        NotImplementedError: From :meth:`back`, for an operation without a rule.
    """

    def __init__(self, module: nn.Module, x: Tensor) -> None:
        module = nn.Sequential(module)  # a graph has no node for its root
        self.graph = fx.GraphModule(module, _Tracer().trace(module))
        recorder = fx.Interpreter(self.graph, garbage_collect_values=False)
        with torch.no_grad(), torch.autocast(x.device.type, enabled=False), in_evaluation(module):
            self.output = recorder.run(x.detach().float())
        self.values = recorder.env
        # Factors of batch norm, by the node that it follows.
        self.scales: dict[fx.Node, Tensor] = {}

    @torch.no_grad()
    def back(self, mass: Tensor) -> Tensor:
        """Propagate mass from the module's output back to its input.

        Args:
            mass: [K, ...], each of the K over the output's elements; differences of two masses
                work too, since the propagation is linear.

        Returns:
            [K, ...] over the input's elements.
        """
        nodes = list(self.graph.graph.nodes)
        found: dict[fx.Node, Tensor] = {nodes[-1].args[0]: mass.float()}
        with torch.autocast(mass.device.type, enabled=False):
            for node in reversed(nodes[1:-1]):
                if node not in found:
                    continue
                for source, part in self._propagate(node, found.pop(node)):
                    found[source] = found[source] + part if source in found else part
        return found[nodes[0]]

    def _propagate(self, node: fx.Node, mass: Tensor) -> list[tuple[fx.Node, Tensor]]:
        """Mass of each input of a node from the mass of its output."""
        source = node.args[0]
        if node.op == 'call_module':
            return [(source, self._through_layer(node, self.values[source], mass))]
        match next((name for name, members in RULES.items() if node.target in members), None):
            case 'elementwise':
                return [(source, mass)]
            case 'reshaping':
                return [(source, mass.reshape(len(mass), *self.values[source].shape[1:]))]
            case 'sum':
                first, second = node.args[:2]
                shares = excite_sum(self.values[first], self.values[second], mass)
                return list(zip((first, second), shares))
            case 'cat':
                dim = node.kwargs.get('dim', node.args[1] if len(node.args) > 1 else 0)
                sizes = [self.values[part].shape[dim] for part in source]
                return list(zip(source, mass.split(sizes, dim)))
        raise NotImplementedError(f'no excitation rule for {node.op} {node.target}')

    def _through_layer(self, node: fx.Node, activation: Tensor, mass: Tensor) -> Tensor:
        """Mass of a layer's input; elementwise layers pass it on as it is."""
        layer = self.graph.get_submodule(node.target)
        match layer:
            case nn.Conv2d() | nn.Linear():
                positive = positive_layer(layer, self.scales.get(node))
                return excite_linear(positive, activation, mass)
            case nn.AvgPool2d() | nn.AdaptiveAvgPool2d():
                return excite_linear(layer, activation, mass)
            case nn.MaxPool2d() | nn.AdaptiveMaxPool2d():
                return excite_maximum(layer, activation, mass)
            case nn.Flatten():
                return mass.reshape(len(mass), *activation.shape[1:])
            case _BatchNorm():
                # The layer before, if there is one, is multiplied by this factor.
                factor = (layer.running_var + layer.eps).rsqrt()
                self.scales[node.args[0]] = factor * (1 if layer.weight is None else layer.weight)
        return mass
