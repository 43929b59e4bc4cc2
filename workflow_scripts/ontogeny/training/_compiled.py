"""The compiled training loop of an ensemble: one seed from its initial weights to its last epoch.

float32 parameters, mean squared error and AdamW, as `torch.optim.AdamW` and `torch.nn.MSELoss` compute them; random
numbers from the streams that PyTorch uses.
"""

from __future__ import annotations

import math

import numpy as np

from ontogeny.compilation import compiled
from ontogeny.nonlinearities.compiled import activate32, slope32

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8
_U = np.uint32


@compiled(nogil=True)
def _twister_seed(state, seed):
    """Start the Mersenne twister MT19937 (Matsumoto and Nishimura 1998); state[624] is the position."""
    state[0] = seed
    for i in range(1, 624):
        previous = state[i - 1]
        state[i] = _U(_U(1812433253) * (previous ^ (previous >> _U(30))) + _U(i))
    state[624] = _U(624)


@compiled(nogil=True)
def _twister_next(state):
    """The next 32 random bits."""
    position = state[624]
    if position >= 624:
        for k in range(624):
            mixed = (state[k] & _U(0x80000000)) | (state[(k + 1) % 624] & _U(0x7FFFFFFF))
            value = state[(k + 397) % 624] ^ (mixed >> _U(1))
            if mixed & _U(1):
                value ^= _U(0x9908B0DF)
            state[k] = value
        position = _U(0)
    bits = state[position]
    state[624] = position + _U(1)
    bits ^= bits >> _U(11)
    bits ^= (bits << _U(7)) & _U(0x9D2C5680)
    bits ^= (bits << _U(15)) & _U(0xEFC60000)
    bits ^= bits >> _U(18)
    return _U(bits)


@compiled(nogil=True)
def _uniform(state, bound):
    """A float32 uniform on [-bound, bound) as PyTorch draws it on a CPU: 24 bits, one fused multiply and add."""
    low = np.float32(-bound)
    width = np.float32(np.float32(bound) - low)
    fraction = np.float64(_twister_next(state) & _U(0xFFFFFF)) * 2.0**-24
    return np.float32(fraction * np.float64(width) + np.float64(low))


@compiled(nogil=True)
def _initialise(state, sizes, parameters):
    """The default of torch.nn.Linear: weights and biases uniform within 1 / sqrt(inputs)."""
    position = 0
    gain = math.sqrt(2.0 / (1.0 + math.sqrt(5.0) ** 2))
    for layer in range(len(sizes) - 1):
        n_in, n_out = sizes[layer], sizes[layer + 1]
        bound = math.sqrt(3.0) * (gain / math.sqrt(n_in))
        for _ in range(n_in * n_out):
            parameters[position] = _uniform(state, bound)
            position += 1
        bound = 1.0 / math.sqrt(n_in)
        for _ in range(n_out):
            parameters[position] = _uniform(state, bound)
            position += 1


@compiled(nogil=True)
def _shuffle(state, order_state, order):
    """The order in which a shuffling DataLoader visits the rows, drawn as it draws it from the global stream."""
    for _ in range(3):  # its worker seed (two words), then the high word of the sampler's seed
        _twister_next(state)
    _twister_seed(order_state, _twister_next(state))
    n = len(order)
    for i in range(n):
        order[i] = i
    for i in range(n - 1):
        other = i + np.int64(_twister_next(order_state)) % (n - i)
        order[i], order[other] = order[other], order[i]


@compiled(nogil=True)
def _kept_run(mask_state, log_keep):
    """How many neurons are kept before the next one is dropped: geometric, from a SplitMix64 stream."""
    mask_state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = mask_state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    uniform = (np.float64(z >> np.uint64(11)) + 0.5) * 2.0**-53
    return np.int64(min(math.log(uniform) / log_keep, 1e15))


@compiled(nogil=True)
def _forward(sizes, kind, parameters, row, scale, before, after):
    """Pre-activations and activations of one row; `scale` multiplies hidden neurons before their activation."""
    for i in range(sizes[0]):
        after[0, i] = row[i]
    position, hidden, last = 0, 0, len(sizes) - 2
    for layer in range(last + 1):
        n_in, n_out = sizes[layer], sizes[layer + 1]
        biases = position + n_in * n_out
        for o in range(n_out):
            z = np.float32(0.0)
            for i in range(n_in):
                z += parameters[position + o * n_in + i] * after[layer, i]
            z += parameters[biases + o]
            if layer < last:
                z *= scale[hidden + o]
                before[layer + 1, o] = z
                after[layer + 1, o] = activate32(kind, z)
            else:
                after[layer + 1, o] = z
        hidden += n_out
        position = biases + n_out


@compiled(nogil=True)
def _backward(sizes, kind, parameters, target, weight, scale, before, after, delta, gradient):
    """Add weight * d(sum of squared errors) to `gradient`; return the sum of squared errors."""
    last = len(sizes) - 2
    squared = np.float64(0.0)
    for o in range(sizes[last + 1]):
        error = after[last + 1, o] - target[o]
        squared += np.float64(error) * np.float64(error)
        delta[last + 1, o] = np.float32(2.0) * weight * error
    position, hidden = len(parameters), 0
    for layer in range(1, last + 1):
        hidden += sizes[layer]
    for layer in range(last, -1, -1):
        n_in, n_out = sizes[layer], sizes[layer + 1]
        position -= (n_in + 1) * n_out
        biases = position + n_in * n_out
        for o in range(n_out):
            d = delta[layer + 1, o]
            gradient[biases + o] += d
            for i in range(n_in):
                gradient[position + o * n_in + i] += d * after[layer, i]
        if layer > 0:
            hidden -= n_in
            for i in range(n_in):
                total = np.float32(0.0)
                for o in range(n_out):
                    total += delta[layer + 1, o] * parameters[position + o * n_in + i]
                total *= slope32(kind, before[layer, i], after[layer, i])
                delta[layer, i] = total * scale[hidden + i]
    return squared


@compiled(nogil=True)
def _validate(sizes, kind, parameters, x, y, count, ones, before, after):
    """Mean squared error, and the share of rows that are right in every output after rounding to even."""
    squared, right, total = 0.0, 0.0, 0.0
    n_outputs = sizes[len(sizes) - 1]
    for row in range(len(x)):
        _forward(sizes, kind, parameters, x[row], ones, before, after)
        good = True
        for o in range(n_outputs):
            value = after[len(sizes) - 1, o]
            error = np.float64(value - y[row, o])
            squared += count[row] * error * error
            good = good and np.rint(value) == y[row, o]
        total += count[row]
        if good:
            right += count[row]
    return squared / (total * n_outputs), right / total


@compiled(nogil=True)
def train_seed(
    seed, sizes, kind, x, y, which, val_x, val_y, val_count, counted, batch_size, learning_rate, weight_decay,
    max_epochs, loss_target, patience, l1, l2, dropout, redraws,
):  # fmt: skip
    """Train one network with AdamW until its loss is low or no longer falls, and keep its weights at every epoch.

    sizes: of the layers. kind: the number of the activation in `ACTIVATIONS`. x, y: the distinct rows; which (n,): the
    row of every sample. val_x, val_y, val_count: the distinct validation rows, and how often each occurs. counted:
    whether equal rows of a batch are taken together. redraws: random numbers drawn after each epoch and thrown away, as
    the published program does.
    Returns parameters (epochs + 1, n_parameters), training loss, validation loss and accuracy, each (epochs + 1,).
    """
    n, n_layers, widest = len(which), len(sizes) - 1, sizes.max()
    n_parameters, n_hidden = 0, 0
    for layer in range(n_layers):
        n_parameters += (sizes[layer] + 1) * sizes[layer + 1]
        if layer < n_layers - 1:
            n_hidden += sizes[layer + 1]
    n_outputs = sizes[n_layers]

    state, order_state = np.empty(625, np.uint32), np.empty(625, np.uint32)
    _twister_seed(state, seed)
    mask_state = np.array([np.uint64(seed) * np.uint64(0xD1342543DE82EF95) + np.uint64(1)], dtype=np.uint64)
    parameters = np.empty(n_parameters, np.float32)
    _initialise(state, sizes, parameters)

    first, second = np.zeros(n_parameters, np.float32), np.zeros(n_parameters, np.float32)
    gradient = np.empty(n_parameters, np.float32)
    before, after = np.zeros((n_layers + 1, widest), np.float32), np.zeros((n_layers + 1, widest), np.float32)
    delta = np.zeros((n_layers + 1, widest), np.float32)
    ones = np.ones(max(n_hidden, 1), np.float32)
    kept_scale = np.float32(1.0 / (1.0 - dropout))
    scale = np.full(max(n_hidden, 1), kept_scale, np.float32)
    order = np.empty(n, np.int64)
    count = np.zeros(len(x), np.int64)
    log_keep = math.log(1.0 - dropout) if dropout > 0 else -1.0
    kept_left = _kept_run(mask_state, log_keep) if dropout > 0 else np.int64(0)

    path = np.empty((max_epochs + 1, n_parameters), np.float32)
    train_loss = np.full(max_epochs + 1, np.nan)
    val_loss, val_accuracy = np.empty(max_epochs + 1), np.empty(max_epochs + 1)
    path[0] = parameters
    val_loss[0], val_accuracy[0] = _validate(sizes, kind, parameters, val_x, val_y, val_count, ones, before, after)

    decay = np.float32(1.0 - learning_rate * weight_decay)
    grow, beta2, rest2 = np.float32(1.0 - _BETA1), np.float32(_BETA2), np.float32(1.0 - _BETA2)
    small = np.float32(_EPSILON)
    l1_single, l2_single = np.float32(l1), np.float32(2.0 * l2)
    power1, power2 = 1.0, 1.0
    best, bad, epoch = np.inf, 0, 0
    while epoch < max_epochs:
        epoch += 1
        _shuffle(state, order_state, order)
        losses, batches = 0.0, 0
        for start in range(0, n, batch_size):
            stop = min(start + batch_size, n)
            share = 1.0 / ((stop - start) * n_outputs)
            one = np.float32(share)
            gradient[:] = np.float32(0.0)
            squared = 0.0
            for k in range(start, stop):
                row = which[order[k]]
                single = not counted
                if dropout > 0:
                    if kept_left >= n_hidden:
                        kept_left -= n_hidden
                    else:
                        single = True
                        scale[:] = kept_scale
                        unit = kept_left
                        while unit < n_hidden:
                            scale[unit] = np.float32(0.0)
                            unit += 1 + _kept_run(mask_state, log_keep)
                        kept_left = unit - n_hidden
                if single:
                    _forward(sizes, kind, parameters, x[row], scale, before, after)
                    squared += _backward(
                        sizes, kind, parameters, y[row], one, scale, before, after, delta, gradient
                    )  # fmt: skip
                    if dropout > 0:
                        scale[:] = kept_scale
                else:
                    count[row] += 1
            if counted:
                for row in range(len(x)):
                    if count[row] > 0:
                        _forward(sizes, kind, parameters, x[row], scale, before, after)
                        weight = np.float32(count[row] * share)
                        squared += count[row] * _backward(
                            sizes, kind, parameters, y[row], weight, scale, before, after, delta, gradient
                        )  # fmt: skip
                        count[row] = 0
            loss = squared * share
            if l1 > 0:
                total = 0.0
                for p in range(n_parameters):
                    value = parameters[p]
                    total += abs(np.float64(value))
                    if value > 0:
                        gradient[p] += l1_single
                    elif value < 0:
                        gradient[p] -= l1_single
                loss += l1 * total
            if l2 > 0:
                total = 0.0
                for p in range(n_parameters):
                    value = parameters[p]
                    total += np.float64(value) * np.float64(value)
                    gradient[p] += l2_single * value
                loss += l2 * total
            losses += loss
            batches += 1

            power1 *= _BETA1
            power2 *= _BETA2
            step = np.float32(-learning_rate / (1.0 - power1))
            root = np.float32(math.sqrt(1.0 - power2))
            for p in range(n_parameters):
                g = gradient[p]
                first[p] += grow * (g - first[p])
                second[p] = second[p] * beta2 + rest2 * g * g
                parameters[p] = parameters[p] * decay + step * (first[p] / (np.sqrt(second[p]) / root + small))

        mean = losses / batches
        path[epoch] = parameters
        train_loss[epoch] = mean
        val_loss[epoch], val_accuracy[epoch] = _validate(
            sizes, kind, parameters, val_x, val_y, val_count, ones, before, after
        )  # fmt: skip
        if mean < best:
            best, bad = mean, 0
        else:
            bad += 1
        if mean < loss_target or bad >= patience:
            break
        for _ in range(redraws):
            _twister_next(state)
    end = epoch + 1
    return path[:end].copy(), train_loss[:end].copy(), val_loss[:end].copy(), val_accuracy[:end].copy()
