"""Inner loops of the compiled search as explicit vector instructions, which no auto-vectoriser need find.

Each is a Numba intrinsic on C-contiguous arrays without bounds checks. Vectors are 512 bits wide; LLVM splits them for
processors with narrower ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from functools import reduce

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from ontogeny.circuits._records import data_of

WORDS = 8  # bit sets are a multiple of this many 64-bit words long
LANES = 16  # rows of float32 tables are a multiple of this long
DOUBLES = 8  # rows of float64 tables are a multiple of this long

_int1, _int8, _int32, _int64 = (ir.IntType(n) for n in (1, 8, 32, 64))
_bits = ir.VectorType(_int64, WORDS)
_floats = ir.VectorType(ir.FloatType(), LANES)
_doubles = ir.VectorType(ir.DoubleType(), DOUBLES)
_ints = ir.VectorType(_int32, LANES)
_half_bits = ir.VectorType(_int1, LANES // 2)


class _Code:
    """Loads, stores and loops for one intrinsic."""

    def __init__(self, context, builder, signature, args) -> None:
        self.builder = builder
        self.args = [
            data_of(context, builder, kind, value) if isinstance(kind, types.Array) else value
            for kind, value in zip(signature.args, args)
        ]

    def _place(self, pointer, at, kind):
        place = self.builder.gep(pointer, [at])
        return self.builder.bitcast(place, kind.as_pointer()) if isinstance(kind, ir.VectorType) else place

    def load(self, pointer, at, kind=None):
        return self.builder.load(self._place(pointer, at, kind), align=_align(pointer))

    def store(self, value, pointer, at, kind=None) -> None:
        self.builder.store(value, self._place(pointer, at, kind), align=_align(pointer))

    @contextmanager
    def apart(self, name) -> Iterator[_Code]:
        """Code of a function of its own, which is called with the same arguments; written once for each module."""
        module = self.builder.module
        kind = ir.FunctionType(ir.VoidType(), [value.type for value in self.args])
        function = ir.Function(module, kind, module.get_unique_name(name))
        function.linkage = "internal"
        function.attributes.add("noinline")
        self.builder.call(function, self.args)
        code = copy(self)
        code.builder = ir.IRBuilder(function.append_basic_block("entry"))
        code.args = list(function.args)
        yield code
        code.builder.ret_void()

    def variable(self, value):
        """A variable that starts as `value`."""
        place = cgutils.alloca_once(self.builder, value.type)
        self.builder.store(value, place)
        return place

    def splat(self, value, kind):
        one = self.builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(_int32, 0))
        zeros = ir.Constant(ir.VectorType(_int32, kind.count), [0] * kind.count)
        return self.builder.shuffle_vector(one, ir.Constant(kind, ir.Undefined), zeros)

    def first(self, number):
        """Which lanes are among the first so many."""
        number = self.splat(self.builder.trunc(number, _int32), _ints)
        return self.builder.icmp_signed("<", ir.Constant(_ints, list(range(LANES))), number)

    def store_first(self, value, number, pointer, at) -> None:
        """Write the first `number` lanes."""
        place = self._place(pointer, at, value.type)
        how = ir.Constant(_int32, _align(pointer))
        self.call(f"llvm.masked.store.v{LANES}f32.p0v{LANES}f32", ir.VoidType(), value, place, how, self.first(number))

    def call(self, name, out, *args):
        kind = ir.FunctionType(out, [a.type for a in args])
        return self.builder.call(cgutils.get_or_insert_function(self.builder.module, kind, name), args)

    def loop(self, stop, step=1):
        """Over 0, step, ... below `stop`; the index is the value of the `with`."""
        return cgutils.for_range_slice(self.builder, ir.Constant(_int64, 0), stop, ir.Constant(_int64, step), _int64)

    def keep(self, own, extra, sets, at, n_words, total, more) -> None:
        """Write the sure bits and, n_words further, those that are only possible; count them for `result`."""
        self.store(own, sets, at, _bits)
        self.store(extra, sets, self.builder.add(at, n_words), _bits)
        self.builder.store(self.builder.or_(self.builder.load(more), extra), more)
        ones = self.call(f"llvm.ctpop.v{WORDS}i64", _bits, own)
        self.builder.store(self.builder.add(self.builder.load(total), ones), total)

    def result(self, total, more):
        """Twice the sum of the counts in `total`, plus 1 if a bit of `more` is set."""
        number = self.call(f"llvm.vector.reduce.add.v{WORDS}i64", _int64, self.builder.load(total))
        some = self.call(f"llvm.vector.reduce.or.v{WORDS}i64", _int64, self.builder.load(more))
        some = self.builder.zext(self.builder.icmp_unsigned("!=", some, _integer(0)), _int64)
        return self.builder.add(self.builder.shl(number, _integer(1)), some)

    def compare(self, x, closed, edge, near, beyond) -> None:
        """Add to `near` where |x| is `closed` or more, and to `beyond` where it is above `edge`. float64."""
        x = self.call(f"llvm.fabs.v{DOUBLES}f64", _doubles, x)
        for found, how, limit in ((near, ">=", closed), (beyond, ">", edge)):
            hit = self.builder.fcmp_ordered(how, x, limit)
            self.builder.store(self.builder.or_(self.builder.load(found), hit), found)

    def store_masks(self, masks, n_bits, out, at) -> None:
        """Write variables of 64 bits to out[at:], with n_bits, 1 to 64, of each."""
        valid = self.builder.lshr(_integer(-1), self.builder.sub(_integer(64), n_bits))
        for i, mask in enumerate(masks):
            self.store(self.builder.and_(self.builder.load(mask), valid), out, self.builder.add(at, _integer(i)))

    def add_boxes(self, boxes, start, stride, state, n, width, sums) -> None:
        """Add vectors of boxes[start + j * stride + node_j * width:] to `sums`; node_j: byte j of `state`, j < n."""
        builder = self.builder
        with self.loop(n) as (j, _):
            node = builder.and_(builder.lshr(state, builder.shl(j, _integer(3))), _integer(255))
            place = builder.add(builder.mul(j, stride), builder.mul(node, width))
            x = self.load(boxes, builder.add(start, place), _floats)
            builder.store(builder.fadd(builder.load(sums), x), sums)

    def total(self, numbers):
        """The sum of a vector of int32, as int64."""
        one = self.call(f"llvm.vector.reduce.add.v{LANES}i32", _int32, numbers)
        return self.builder.sext(one, _int64)

    def reduce(self, x, how):
        """One number from all lanes, a power of 2: halves are put together until one is left."""
        count = x.type.count
        while count > 1:
            count //= 2
            halves = [ir.Constant(ir.VectorType(_int32, count), list(range(i, i + count))) for i in (0, count)]
            x = how(*(self.builder.shuffle_vector(x, x, half) for half in halves))
        return self.builder.extract_element(x, ir.Constant(_int32, 0))

    def larger(self, a, b):
        return self.builder.select(self.builder.fcmp_ordered(">", a, b), a, b)

    def smaller(self, a, b):
        return self.builder.select(self.builder.fcmp_ordered("<", a, b), a, b)


def _align(pointer) -> int:
    kind = pointer.type.pointee
    return 8 if isinstance(kind, ir.DoubleType) or getattr(kind, "width", 0) == 64 else 4


def _integer(value):
    return ir.Constant(_int64, value)


@intrinsic
def reach(typing, table, rows, low, high, n_inner, n_rows, n_sets, outer, inner, masks, at):
    """Which of n_sets <= 64 numbers x = table[rows[r] + t] stay within two limits, as bits.

    Bit t of masks[at]: x + low[r] and -x - high[r] are at most `outer` for all r < n_rows; of masks[at + 1]:
    x + high[r] and -x - low[r] are below `inner` for all r < n_inner <= n_rows. masks: uint64; table, low, high,
    outer, inner: float32; rows: int64, where the rows begin.
    """

    def generate(context, builder, signature, args):
        code = _Code(context, builder, signature, args)
        table, rows, low, high, n_inner, n_rows, n_sets, outer, inner, masks, to = code.args
        zero = ir.Constant(_floats, [0.0] * LANES)
        found = [code.variable(_integer(0)) for _ in range(2)]
        with code.loop(n_sets, LANES) as (at, _):
            above, under, over, below = (code.variable(zero) for _ in range(4))

            def limits(r):
                x = code.load(table, builder.add(code.load(rows, r), at), _floats)
                least = builder.fadd(x, code.splat(code.load(low, r), _floats))
                most = builder.fadd(x, code.splat(code.load(high, r), _floats))
                builder.store(code.larger(least, builder.load(above)), above)
                builder.store(code.smaller(most, builder.load(under)), under)
                return least, most

            with code.loop(n_inner) as (r, _):
                least, most = limits(r)
                builder.store(code.larger(most, builder.load(over)), over)
                builder.store(code.smaller(least, builder.load(below)), below)
            with code.loop(builder.sub(n_rows, n_inner)) as (r, _):
                limits(builder.add(r, n_inner))
            for mask, up, down, how, limit in (
                (found[0], above, under, "<=", outer),
                (found[1], over, below, "<", inner),
            ):
                far = code.larger(builder.load(up), builder.fneg(builder.load(down)))
                bits = builder.fcmp_ordered(how, far, code.splat(limit, _floats))
                bits = builder.zext(builder.bitcast(bits, ir.IntType(LANES)), _int64)
                builder.store(builder.or_(builder.load(mask), builder.shl(bits, at)), mask)
        code.store_masks(found, n_sets, masks, to)
        return context.get_dummy_value()

    kinds = (table, rows, low, high, n_inner, n_rows, n_sets, outer, inner, masks, at)
    return types.void(*kinds), generate


@intrinsic
def locate(typing, table, row, floor, scale, add, n_buckets, base, n_words, n_sets, out, at):
    """out[at + t] = (base + bucket) * n_words with bucket = floor((floor - table[row + t]) * scale) + add.

    Buckets are cut to [0, n_buckets]. table: float32; out: int32; floor, scale: float32. All places below 2^24.
    """

    def generate(context, builder, signature, args):
        code = _Code(context, builder, signature, args)
        table, row, floor, scale, add, n_buckets, base, n_words, n_sets, out, start = code.args

        def number(value):
            return code.splat(builder.sitofp(value, ir.FloatType()), _floats)

        floor, scale = code.splat(floor, _floats), code.splat(scale, _floats)
        add, top, base, n_words = (number(x) for x in (add, n_buckets, builder.mul(base, n_words), n_words))
        zero = ir.Constant(_floats, [0.0] * LANES)
        with code.loop(n_sets, LANES) as (t, _):
            x = builder.fmul(builder.fsub(floor, code.load(table, builder.add(row, t), _floats)), scale)
            x = builder.fadd(code.call(f"llvm.floor.v{LANES}f32", _floats, x), add)
            x = code.smaller(code.larger(x, zero), top)
            x = builder.fadd(builder.fmul(x, n_words), base)
            code.store(builder.fptosi(x, _ints), out, builder.add(start, t), _ints)
        return context.get_dummy_value()

    kinds = (table, row, floor, scale, add, n_buckets, base, n_words, n_sets, out, at)
    return types.void(*kinds), generate


@intrinsic
def meet(typing, rows, places, flips, n_places, width, t, covers, cover, n_words, out):
    """Bit sets in all of n_places places: twice the number of bits in the sure one, plus 1 if the other has more.

    Place c has the sure set (rows[places[2c * width + t]:] ^ flips[c]) and the possible one, (2c + 1) * width further.
    Both start from covers[cover:]. out (2 * n_words,): the sure meet, and the bits that only the possible one has.
    """

    def generate(context, builder, signature, args):
        code = _Code(context, builder, signature, args)
        rows, places, flips, n_places, width, t, covers, cover, n_words, out = code.args
        zero = ir.Constant(_bits, [0] * WORDS)
        total, more = code.variable(zero), code.variable(zero)

        def block(w, together):
            starts = [builder.add(w, _integer(i * WORDS)) for i in range(together)]
            first = [code.load(covers, builder.add(cover, at), _bits) for at in starts]
            sure, possible = ([code.variable(x) for x in first] for _ in range(2))
            with code.loop(n_places) as (c, _):
                flip = code.splat(code.load(flips, c), _bits)
                at = builder.add(builder.mul(builder.add(c, c), width), t)
                for kept, place in ((sure, at), (possible, builder.add(at, width))):
                    row = builder.add(builder.sext(code.load(places, place), _int64), w)
                    for i, part in enumerate(kept):
                        one = code.load(rows, builder.add(row, _integer(i * WORDS)), _bits)
                        builder.store(builder.and_(builder.load(part), builder.xor(one, flip)), part)
            for i, at in enumerate(starts):
                own = builder.load(sure[i])
                code.keep(own, builder.xor(builder.load(possible[i]), own), out, at, n_words, total, more)

        even = builder.and_(n_words, _integer(-2 * WORDS))
        with code.loop(even, 2 * WORDS) as (w, _):
            block(w, 2)
        with builder.if_then(builder.icmp_signed("!=", even, n_words)):
            block(even, 1)
        return code.result(total, more)

    kinds = (rows, places, flips, n_places, width, t, covers, cover, n_words, out)
    return types.int64(*kinds), generate


@intrinsic
def among(typing, sets, covers, cover, n_words, to):
    """The part of sets[0:] that lies in covers[cover:], written to sets[to:]; returns as `meet`.

    sets (.., 2 * n_words): sure bits, and those that are only possible.
    """

    def generate(context, builder, signature, args):
        code = _Code(context, builder, signature, args)
        sets, covers, cover, n_words, to = code.args
        zero = ir.Constant(_bits, [0] * WORDS)
        total, more = code.variable(zero), code.variable(zero)
        with code.loop(n_words, WORDS) as (w, _):
            only = code.load(covers, builder.add(cover, w), _bits)
            own = builder.and_(code.load(sets, w, _bits), only)
            extra = builder.and_(code.load(sets, builder.add(w, n_words), _bits), only)
            code.keep(own, extra, sets, builder.add(w, to), n_words, total, more)
        return code.result(total, more)

    return types.int64(sets, covers, cover, n_words, to), generate


@intrinsic
def shift(typing, values, at, by, number, to):
    """values[to + m] = values[at + m] + by for m < number, a multiple of LANES or the start of what comes later."""

    def generate(context, builder, signature, args):
        code = _Code(context, builder, signature, args)
        values, start, by, number, to = code.args
        by = code.splat(by, _floats)
        with code.loop(number, LANES) as (m, _):
            x = builder.fadd(code.load(values, builder.add(start, m), _floats), by)
            code.store(x, values, builder.add(to, m), _floats)
        return context.get_dummy_value()

    return types.void(values, at, by, number, to), generate


@intrinsic
def divide(typing, values, at, floor, scale, number, n_buckets, out):
    """out[m] = int((values[at + m] - floor) * scale) for m < number, cut to [0, n_buckets - 1]. float32; out: int32."""

    def generate(context, builder, signature, args):
        code = _Code(context, builder, signature, args)
        values, start, floor, scale, number, n_buckets, out = code.args
        floor, scale = code.splat(floor, _floats), code.splat(scale, _floats)
        top = code.splat(builder.sitofp(builder.sub(n_buckets, _integer(1)), ir.FloatType()), _floats)
        zero = ir.Constant(_floats, [0.0] * LANES)
        with code.loop(number, LANES) as (m, _):
            x = builder.fmul(builder.fsub(code.load(values, builder.add(start, m), _floats), floor), scale)
            x = code.smaller(code.larger(x, zero), top)
            code.store(builder.fptosi(x, _ints), out, m, _ints)
        return context.get_dummy_value()

    return types.void(values, at, floor, scale, number, n_buckets, out), generate


@intrinsic
def clear(typing, rows, at, n_words):
    """Make n_words words from rows[at] on 0; n_words is a multiple of WORDS."""

    def generate(context, builder, signature, args):
        code = _Code(context, builder, signature, args)
        rows, start, n_words = code.args
        with code.loop(n_words, WORDS) as (w, _):
            code.store(ir.Constant(_bits, [0] * WORDS), rows, builder.add(start, w), _bits)
        return context.get_dummy_value()

    return types.void(rows, at, n_words), generate


@intrinsic
def accumulate(typing, rows, at, n_rows, n_words):
    """Each of the n_rows bit sets of n_words words that begin at rows[at] becomes the union of it and all before it."""

    def generate(context, builder, signature, args):
        code = _Code(context, builder, signature, args)
        rows, start, n_rows, n_words = code.args
        with code.loop(n_words, WORDS) as (w, _):
            union = code.variable(ir.Constant(_bits, [0] * WORDS))
            with code.loop(n_rows) as (r, _):
                at = builder.add(start, builder.add(builder.mul(r, n_words), w))
                now = builder.or_(builder.load(union), code.load(rows, at, _bits))
                builder.store(now, union)
                code.store(now, rows, at, _bits)
        return context.get_dummy_value()

    return types.void(rows, at, n_rows, n_words), generate


@intrinsic
def tally(typing, planes, at, number, n_words, bits, of):
    """Add bit set bits[of:] to the vertical counters planes[at:] after `number` others.

    (levels, 2, n_words) of them: of every 2^k sets one of weight 2^k is made; at level k the bits of that weight, and
    one set that waits for another. Carry-save adders as in Muła, Kurz and Lemire, Computer Journal 61 (2018).
    """

    def generate(context, builder, signature, args):
        code = _Code(context, builder, signature, args)
        planes, start, number, n_words, bits, of = code.args
        level = code.call("llvm.cttz.i64", _int64, builder.not_(number), ir.Constant(_int1, 0))
        two = builder.add(n_words, n_words)
        with code.loop(n_words, WORDS) as (w, _):
            carry = code.variable(code.load(bits, builder.add(of, w), _bits))
            with code.loop(level) as (k, _):
                at = builder.add(start, builder.add(builder.mul(k, two), w))
                x = code.load(planes, at, _bits)
                y = code.load(planes, builder.add(at, n_words), _bits)
                z = builder.load(carry)
                both = builder.xor(x, y)
                code.store(builder.xor(both, z), planes, at, _bits)
                builder.store(builder.or_(builder.and_(x, y), builder.and_(both, z)), carry)
            at = builder.add(builder.add(builder.mul(level, two), n_words), w)
            code.store(builder.load(carry), planes, builder.add(start, at), _bits)
        return context.get_dummy_value()

    return types.void(planes, at, number, n_words, bits, of), generate


@intrinsic
def add(typing, a, at_a, b, at_b, width, out, at):
    """out[at + s] = a[at_a + s] + b[at_b + s] for s < width, a multiple of DOUBLES. All float64."""

    def generate(context, builder, signature, args):
        code = _Code(context, builder, signature, args)
        a, at_a, b, at_b, width, out, start = code.args
        with code.loop(width, DOUBLES) as (s, _):
            x = code.load(a, builder.add(at_a, s), _doubles)
            x = builder.fadd(x, code.load(b, builder.add(at_b, s), _doubles))
            code.store(x, out, builder.add(start, s), _doubles)
        return context.get_dummy_value()

    return types.void(a, at_a, b, at_b, width, out, at), generate


@intrinsic
def errors(typing, sums, values, at, live, width, closed, edge):
    """0 if all |sums[s] + values[at + s]| * live[s] of s < width are below `closed`, 2 or more if one is above `edge`.

    Else 1. sums, values, live: float64; width: a multiple of DOUBLES.
    """

    def generate(context, builder, signature, args):
        code = _Code(context, builder, signature, args)
        sums, values, start, live, width, closed, edge = code.args
        closed, edge = code.splat(closed, _doubles), code.splat(edge, _doubles)
        zero = ir.Constant(ir.VectorType(_int1, DOUBLES), [0] * DOUBLES)
        near, beyond = code.variable(zero), code.variable(zero)
        with code.loop(width, DOUBLES) as (s, _):
            x = builder.fadd(code.load(sums, s, _doubles), code.load(values, builder.add(start, s), _doubles))
            code.compare(builder.fmul(x, code.load(live, s, _doubles)), closed, edge, near, beyond)

        def some(mask):
            return builder.icmp_unsigned("!=", builder.bitcast(builder.load(mask), _int8), ir.Constant(_int8, 0))

        return builder.add(
            builder.zext(some(near), _int64), builder.shl(builder.zext(some(beyond), _int64), _integer(1))
        )

    return types.int64(sums, values, at, live, width, closed, edge), generate


@intrinsic
def settle(typing, table, stride, sums, n_rows, n_sets, closed, edge, out):
    """Bits t < n_sets <= 64 of out[0]: all |table[s * stride + t] + sums[s]| of s < n_rows are below `closed`.

    Of out[1]: not so, but none is above `edge`. table, sums: float64; out: uint64; stride: a multiple of DOUBLES.
    """

    def generate(context, builder, signature, args):
        code = _Code(context, builder, signature, args)
        table, stride, sums, n_rows, n_sets, closed, edge, out = code.args
        closed, edge = code.splat(closed, _doubles), code.splat(edge, _doubles)
        zero = ir.Constant(ir.VectorType(_int1, DOUBLES), [0] * DOUBLES)
        right, perhaps = code.variable(_integer(0)), code.variable(_integer(0))
        with code.loop(n_sets, DOUBLES) as (at, _):
            near, beyond = code.variable(zero), code.variable(zero)
            with code.loop(n_rows) as (s, _):
                x = code.load(table, builder.add(builder.mul(s, stride), at), _doubles)
                x = builder.fadd(x, code.splat(code.load(sums, s), _doubles))
                code.compare(x, closed, edge, near, beyond)
            far = builder.load(near)
            unsure = builder.and_(far, builder.not_(builder.load(beyond)))
            for mask, bits in ((right, builder.not_(far)), (perhaps, unsure)):
                bits = builder.zext(builder.bitcast(bits, _int8), _int64)
                builder.store(builder.or_(builder.load(mask), builder.shl(bits, at)), mask)
        code.store_masks((right, perhaps), n_sets, out, _integer(0))
        return context.get_dummy_value()

    return types.void(table, stride, sums, n_rows, n_sets, closed, edge, out), generate


@intrinsic
def merge(typing, boxes, spans, one, other, to, width, single):
    """boxes[to:] = the box around those at `one` and `other`.

    A vector holds the lower bounds of LANES / 2 rows and the negated upper bounds of the same. spans, laid out alike,
    hold how much wider on these rows a box is than the widest of its sets, and how wide that is; single: a box is of
    one set. float32.
    """

    def generate(context, builder, signature, args):
        code = _Code(context, builder, signature, args)
        boxes, spans, one, other, to, width, single = code.args
        half = ir.VectorType(ir.FloatType(), LANES // 2)
        parts = [
            ir.Constant(ir.VectorType(_int32, half.count), list(range(i, i + half.count))) for i in (0, half.count)
        ]
        with code.loop(width, LANES) as (at, _):
            x = code.load(boxes, builder.add(one, at), _floats)
            x = code.smaller(x, code.load(boxes, builder.add(other, at), _floats))
            code.store(x, boxes, builder.add(to, at), _floats)
            span = builder.fneg(builder.fadd(*(builder.shuffle_vector(x, x, part) for part in parts)))
            behind = builder.add(at, _integer(half.count))
            wide = [code.load(spans, builder.add(start, behind), half) for start in (one, other)]
            wide = builder.select(single, span, code.larger(*wide))
            own = code.larger(builder.fsub(span, wide), ir.Constant(half, [0.0] * half.count))
            code.store(own, spans, builder.add(to, at), half)
            code.store(wide, spans, builder.add(to, behind), half)
        return context.get_dummy_value()

    kinds = (boxes, spans, one, other, to, width, single)
    return types.void(*kinds), generate


@intrinsic
def widest(typing, spans, at, stride, state, n, width, free, rows, factor):
    """Which of n boxes, of those with free edges, is widest on some rows by what its edges leave open.

    How much, summed over the rows (bits of `rows`), is in spans, laid out as of `merge`; of box j from
    at + j * stride + node_j * width on, where node_j is byte j of `state`; free (nodes,): free edges of a box. Returns
    its number, or n where there is none; times 256 the number of free edges of all; and 1 << 16 where single sets are
    wider, summed over rows and boxes, than `factor` times that.
    """

    def generate(context, builder, signature, args):
        code = _Code(context, builder, signature, args)
        spans, start, stride, state, n, width, free, rows, factor = code.args
        half = LANES // 2
        kind = ir.VectorType(ir.FloatType(), half)
        zero = ir.Constant(kind, [0.0] * half)

        best, edges = code.variable(n), code.variable(_integer(0))
        most, spread, own = code.variable(ir.Constant(kind.element, 0.0)), code.variable(zero), code.variable(zero)
        builder.store(zero, spread)
        with code.loop(n) as (j, _):
            node = builder.and_(builder.lshr(state, builder.shl(j, _integer(3))), _integer(255))
            place = builder.add(builder.mul(j, stride), builder.mul(node, width))
            place = builder.add(start, place)
            builder.store(zero, own)
            with code.loop(width, LANES) as (v, _):
                left = builder.lshr(rows, builder.lshr(v, _integer(1)))
                left = builder.bitcast(builder.trunc(left, _int8), _half_bits)
                at = builder.add(place, v)
                for variable, by in ((own, 0), (spread, half)):
                    x = code.load(spans, builder.add(at, _integer(by)), kind)
                    x = builder.select(left, x, zero)
                    builder.store(builder.fadd(builder.load(variable), x), variable)
            width_of = code.reduce(builder.load(own), builder.fadd)
            its = code.load(free, node)
            builder.store(builder.add(builder.load(edges), its), edges)
            none = builder.icmp_signed("==", builder.load(best), n)
            better = builder.or_(none, builder.fcmp_ordered(">", width_of, builder.load(most)))
            better = builder.and_(better, builder.icmp_signed(">", its, _integer(0)))
            builder.store(builder.select(better, width_of, builder.load(most)), most)
            builder.store(builder.select(better, j, builder.load(best)), best)
        wide = code.reduce(builder.load(spread), builder.fadd)
        wider = builder.fcmp_ordered(">", wide, builder.fmul(factor, builder.load(most)))
        found = builder.add(builder.load(best), builder.shl(builder.load(edges), _integer(8)))
        return builder.add(found, builder.shl(builder.zext(wider, _int64), _integer(16)))

    kinds = (spans, at, stride, state, n, width, free, rows, factor)
    return types.int64(*kinds), generate


@intrinsic
def sum_side(typing, table, terms, n_fixed, n, bases, base, n_rows, width, sums, at, step):
    """All sums of a number from each of several terms, a vector at a time, on all rows.

    terms (n, 3): where a term begins in `table`, how much further the next row does, and how many numbers, one or an
    even number of them, it has the choice of; `width` apart. sums[at + r * step + c * width + v] = bases[base + r] +
    what the terms have on row r: c counts through their choices, the last one's first; the first n_fixed have none.
    v < width, a multiple of LANES. float32; terms: int64. A function of its own, so that all it needs stays in
    registers.
    """

    def generate(context, builder, signature, args):
        whole = _Code(context, builder, signature, args)
        with whole.apart("ontogeny_sum_side") as code:
            n_rows, width = code.args[6:8]
            with code.loop(n_rows) as (r, _), code.loop(width, LANES) as (v, _):
                _sum_side(code, r, v)
        return context.get_dummy_value()

    kinds = (table, terms, n_fixed, n, bases, base, n_rows, width, sums, at, step)
    return types.void(*kinds), generate


def _sum_side(code, r, v) -> None:
    """What `sum_side` does on one row, in one column of vectors."""
    builder = code.builder
    table, terms, n_fixed, n, bases, base, _, width, sums, at, step = code.args
    to = builder.add(builder.add(at, v), builder.mul(r, step))

    def term(j):
        j = builder.mul(j, _integer(3))
        first, across, number = (code.load(terms, builder.add(j, _integer(i))) for i in range(3))
        return builder.add(builder.add(first, v), builder.mul(r, across)), number

    def of_table(start, t):
        return code.load(table, builder.add(start, builder.mul(t, width)), _floats)

    def put(x, c):
        code.store(x, sums, builder.add(to, builder.mul(c, width)), _floats)

    first = code.splat(code.load(bases, builder.add(base, r)), _floats)
    total = code.variable(first)
    builder.store(first, total)
    with code.loop(n_fixed) as (j, _):
        builder.store(builder.fadd(builder.load(total), of_table(term(j)[0], _integer(0))), total)
    put(builder.load(total), _integer(0))
    now = code.variable(_integer(1))
    builder.store(_integer(1), now)
    with code.loop(builder.sub(n, n_fixed)) as (j, _):
        start, number = term(builder.add(j, n_fixed))
        before = builder.load(now)
        last = builder.sub(before, _integer(1))
        two = builder.icmp_signed("==", number, _integer(2))
        with builder.if_else(two) as (pair, more):
            with pair:
                values = [of_table(start, _integer(t)) for t in range(2)]
                with code.loop(before) as (back, _):
                    c = builder.sub(last, back)
                    x = code.load(sums, builder.add(to, builder.mul(c, width)), _floats)
                    for t in (1, 0):
                        put(builder.fadd(x, values[t]), builder.add(builder.shl(c, _integer(1)), _integer(t)))
            with more, code.loop(before) as (back, _):
                c = builder.sub(last, back)
                x = code.load(sums, builder.add(to, builder.mul(c, width)), _floats)
                first = builder.mul(c, number)
                with code.loop(number, 2) as (t, _):
                    for i in range(2):
                        own = builder.add(t, _integer(i))
                        put(builder.fadd(x, of_table(start, own)), builder.add(first, own))
        builder.store(builder.mul(before, number), now)


@intrinsic
def respond(
    typing, values, at_values, inputs, members, weights, at_weights, stride, bias, slope, gain, raw, out, at, width,
    packed, own_width,
):  # fmt: skip
    """out[at + v] = the response of a neuron to its inputs, the bits i of `inputs`, times `gain`.

    Input i has the values[at_values + i * width + v] and the weight weights[at_weights + members[i] * stride]. Summed
    product by product, the bias last; negative sums times `slope`, and then all by the numbers of `gain` one after
    another; raw: the sums alone. v < width, a multiple of LANES; where own_width is less than LANES, out[packed:] is
    the first own_width of them. float32; members: int64.
    """

    def generate(context, builder, signature, args):
        code = _Code(context, builder, signature, args)
        (
            values, at_values, inputs, members, weights, at_weights, stride, bias, slope, gain, raw, out, at, width,
            packed, own_width,
        ) = code.args  # fmt: skip
        zero = ir.Constant(_floats, [0.0] * LANES)
        bias, slope = code.splat(bias, _floats), code.splat(slope, _floats)
        gains = [code.splat(builder.extract_value(gain, i), _floats) for i in range(2)]
        number = code.call("llvm.ctpop.i64", _int64, inputs)
        total, rest = code.variable(zero), code.variable(inputs)
        with code.loop(width, LANES) as (v, _):
            builder.store(zero, total)
            builder.store(inputs, rest)
            with code.loop(number):
                left = builder.load(rest)
                i = code.call("llvm.cttz.i64", _int64, left, ir.Constant(_int1, 1))
                builder.store(builder.and_(left, builder.sub(left, _integer(1))), rest)
                x = code.load(values, builder.add(builder.add(at_values, v), builder.mul(i, width)), _floats)
                weight = builder.add(at_weights, builder.mul(code.load(members, i), stride))
                x = builder.fmul(x, code.splat(code.load(weights, weight), _floats))
                builder.store(builder.fadd(builder.load(total), x), total)
            x = builder.fadd(builder.load(total), bias)
            y = builder.select(builder.fcmp_ordered(">", x, zero), x, builder.fmul(x, slope))
            y = builder.fmul(builder.fmul(y, gains[0]), gains[1])
            y = builder.select(raw, x, y)
            code.store(y, out, builder.add(at, v), _floats)
            with builder.if_then(builder.icmp_signed("<", own_width, _integer(LANES))):
                code.store_first(y, own_width, out, packed)
        return context.get_dummy_value()

    kinds = (
        values, at_values, inputs, members, weights, at_weights, stride, bias, slope, gain, raw, out, at, width, packed,
        own_width,
    )  # fmt: skip
    return types.void(*kinds), generate


@intrinsic
def weigh(
    typing, sums, at, other, step, width, n_rows, n, n_other, inner, outer, sides, weights, filled, hits, lane, found,
    beside, doubts,
):  # fmt: skip
    """Which sums of two vectors, c < n of one table and t < n_other of another, are within a limit on all rows.

    x = sums[at + r * step + c * width + v] + sums[other + r * step + t * width + v] for r < n_rows and v < filled, of
    LANES. Where bit r of `sides` is set, -x must be within the limit, else x; sides < 0: both must. For all c and t
    where no x is beyond `outer`, weights[lane + v] is added to found[c * LANES + v] and to
    found[beside + t * LANES + v], and 1 to hits[lane + v]. doubts[t]: not 0 where one of these x is beyond `inner`.
    float32; weights, found and doubts: int32; hits: int64; n_other: a power of 2. A function of its own, so that all
    it needs stays in registers.
    """

    def generate(context, builder, signature, args):
        whole = _Code(context, builder, signature, args)
        with whole.apart("ontogeny_weigh") as code:
            n_rows, n_other, sides = code.args[5], code.args[7], code.args[10]
            builder = code.builder
            many = builder.or_(
                builder.icmp_signed("<", sides, _integer(0)), builder.icmp_signed(">", n_rows, _integer(3))
            )
            for known, at_a_time in ((1, 4), (2, 4), (3, 4), (0, 1)):
                these = builder.icmp_signed("==", n_rows, _integer(known))
                these = builder.and_(these, builder.not_(many)) if known else many
                with builder.if_then(these):
                    if at_a_time == 1:
                        _weigh(code, known, 1)
                        continue
                    few = builder.icmp_signed("<", n_other, _integer(at_a_time))
                    with builder.if_else(few) as (alone, several):
                        with alone:
                            _weigh(code, known, 1)
                        with several:
                            _weigh(code, known, at_a_time)
        return context.get_dummy_value()

    kinds = (
        sums, at, other, step, width, n_rows, n, n_other, inner, outer, sides, weights, filled, hits, lane, found,
        beside, doubts,
    )  # fmt: skip
    return types.void(*kinds), generate


def _sign(code, sides, r):
    """Bits that turn a number into its negative where bit r of `sides` is set."""
    bit = code.builder.and_(code.builder.lshr(sides, r), _integer(1))
    return code.splat(code.builder.shl(code.builder.trunc(bit, _int32), ir.Constant(_int32, 31)), _ints)


def _turned(code, x, sign):
    x = code.builder.xor(code.builder.bitcast(x, _ints), sign)
    return code.builder.bitcast(x, _floats)


def _weigh(code, known, at_a_time) -> None:
    """What `weigh` does, for a number of rows with one limit each that is known, or 0, and a few t at a time."""
    builder = code.builder
    (
        sums, at, other, step, width, n_rows, n, n_other, inner, outer, sides, weights, filled, hits, lane, found,
        beside, doubts,
    ) = code.args  # fmt: skip
    outer, inner = code.splat(outer, _floats), code.splat(inner, _floats)
    nothing = ir.Constant(_ints, [0] * LANES)
    live = code.first(filled)
    weight = builder.select(live, code.load(weights, lane, _ints), nothing)
    # a 1 of which LLVM does not know that it is one: to add it where a bit is set is a single instruction
    one = code.splat(builder.zext(builder.icmp_signed(">", filled, _integer(0)), _int32), _ints)
    nowhere = ir.Constant(ir.VectorType(_int1, LANES), [0] * LANES)
    in_all = code.variable(nothing)
    signs = [_sign(code, sides, _integer(r)) for r in range(known)]

    def load(start, r):
        x = code.load(sums, builder.add(start, builder.mul(step, _integer(r))), _floats)
        return _turned(code, x, signs[r])

    with code.loop(n_other, at_a_time) as (t, _):
        each = [builder.add(t, _integer(i)) for i in range(at_a_time)]
        starts = [builder.add(other, builder.mul(own, width)) for own in each]
        table = [[load(start, r) for r in range(known)] for start in starts]
        if known == 1:
            table = [[builder.fsub(limit, y) for limit in (outer, inner)] for (y,) in table]
        seen = [code.variable(nothing) for _ in range(at_a_time)]
        close = [code.variable(nowhere) for _ in range(at_a_time)]
        for place in seen:
            builder.store(nothing, place)
        for place in close:
            builder.store(nowhere, place)
        with code.loop(n) as (c, _):
            to = builder.mul(c, _integer(LANES))
            first = builder.add(at, builder.mul(c, width))
            own = [load(first, r) for r in range(known)]
            total = code.load(found, to, _ints)
            for start, there, number, some in zip(starts, table, seen, close):
                limits = there if known == 1 else [outer, inner]
                if known == 1:
                    worst = own[0]
                elif known:
                    worst = reduce(code.larger, map(builder.fadd, own, there))
                else:
                    worst = _worst(code, sums, first, start, step, n_rows, sides)
                possible = builder.fcmp_ordered("<=", worst, limits[0])
                unsure = builder.and_(possible, builder.fcmp_ordered(">", worst, limits[1]))
                builder.store(builder.or_(builder.load(some), unsure), some)
                total = builder.add(total, builder.select(possible, weight, nothing))
                builder.store(builder.add(builder.load(number), builder.select(possible, one, nothing)), number)
            code.store(total, found, to, _ints)
        for own, place, some in zip(each, seen, close):
            number = builder.load(place)
            lanes = builder.bitcast(builder.and_(builder.load(some), live), ir.IntType(LANES))
            to = builder.add(beside, builder.mul(own, _integer(LANES)))
            x = builder.add(code.load(found, to, _ints), builder.mul(number, weight))
            code.store(x, found, to, _ints)
            code.store(builder.zext(lanes, _int32), doubts, own)
            builder.store(builder.add(builder.load(in_all), number), in_all)
    x = builder.zext(builder.select(live, builder.load(in_all), nothing), ir.VectorType(_int64, LANES))
    code.store(builder.add(code.load(hits, lane, x.type), x), hits, lane, x.type)


def _worst(code, sums, first, start, step, n_rows, sides):
    """The largest x of `weigh` on any number of rows, turned to the limit that is to be kept; |x| where both are."""
    builder = code.builder
    most = code.variable(ir.Constant(_floats, [0.0] * LANES))
    builder.store(ir.Constant(_floats, [float("-inf")] * LANES), most)
    two_sided = code.splat(builder.icmp_signed("<", sides, _integer(0)), ir.VectorType(_int1, LANES))
    with code.loop(n_rows) as (r, _):
        x, y = (code.load(sums, builder.add(place, builder.mul(r, step)), _floats) for place in (first, start))
        x = builder.fadd(x, y)
        size = code.call(f"llvm.fabs.v{LANES}f32", _floats, x)
        x = builder.select(two_sided, size, _turned(code, x, _sign(code, sides, r)))
        builder.store(code.larger(x, builder.load(most)), most)
    return builder.load(most)


@intrinsic
def close_to(typing, sums, at, other, step, width, n_rows, n, inner, outer, sides, doubts):
    """doubts[c] has a bit for each v whose x of t = 0, as of `weigh`, are not beyond `outer`, but `inner`."""

    def generate(context, builder, signature, args):
        code = _Code(context, builder, signature, args)
        sums, at, other, step, width, n_rows, n, inner, outer, sides, doubts = code.args
        limits = [code.splat(limit, _floats) for limit in (outer, inner)]

        def keep(c, worst, limits):
            possible = builder.fcmp_ordered("<=", worst, limits[0])
            close = builder.and_(possible, builder.fcmp_ordered(">", worst, limits[1]))
            close = builder.bitcast(close, ir.IntType(LANES))
            code.store(builder.zext(close, _int32), doubts, c)

        single = builder.icmp_signed("==", n_rows, _integer(1))
        single = builder.and_(single, builder.icmp_signed(">=", sides, _integer(0)))
        with builder.if_else(single) as (one, more):
            with one:  # rounded as `weigh` does
                sign = _sign(code, sides, _integer(0))
                y = _turned(code, code.load(sums, other, _floats), sign)
                there = [builder.fsub(limit, y) for limit in limits]
                with code.loop(n) as (c, _):
                    x = code.load(sums, builder.add(at, builder.mul(c, width)), _floats)
                    keep(c, _turned(code, x, sign), there)
            with more, code.loop(n) as (c, _):
                start = builder.add(at, builder.mul(c, width))
                keep(c, _worst(code, sums, start, other, step, n_rows, sides), limits)
        return context.get_dummy_value()

    kinds = (sums, at, other, step, width, n_rows, n, inner, outer, sides, doubts)
    return types.void(*kinds), generate


@intrinsic
def fold(typing, found, at, n, number, factor, tags, to):
    """tags[to + t], t < n, grows by `factor` times the sum of the vectors found[at + (t * number + c) * LANES:].

    Of all c < number; found[at + c * LANES:] becomes the sum over t. found: int32; tags: int64; n: 2 or more.
    """

    def generate(context, builder, signature, args):
        code = _Code(context, builder, signature, args)
        found, at, n, number, factor, tags, to = code.args
        nothing = ir.Constant(_ints, [0] * LANES)
        first, own = code.variable(nothing), code.variable(nothing)
        builder.store(nothing, first)

        def grow(t, by):
            t = builder.add(to, t)
            code.store(builder.add(code.load(tags, t), builder.mul(code.total(builder.load(by)), factor)), tags, t)

        with code.loop(builder.sub(n, _integer(1))) as (before, _):
            t = builder.add(before, _integer(1))
            builder.store(nothing, own)
            start = builder.add(at, builder.mul(builder.mul(t, number), _integer(LANES)))
            with code.loop(builder.mul(number, _integer(LANES)), LANES) as (c, _):
                x = code.load(found, builder.add(start, c), _ints)
                builder.store(builder.add(builder.load(own), x), own)
                place = builder.add(at, c)
                y = code.load(found, place, _ints)
                builder.store(builder.add(builder.load(first), y), first)
                code.store(builder.add(x, y), found, place, _ints)
            with builder.if_then(builder.icmp_signed("==", before, _integer(0))):
                grow(_integer(0), first)
            grow(t, own)
        return context.get_dummy_value()

    return types.void(found, at, n, number, factor, tags, to), generate


@intrinsic
def fold_lanes(typing, found, at, each, n, factor, tags, to):
    """tags[to + t], t < n, grows by `factor` times the sum of found[at + t * each + v] of all v < each.

    Returns `factor` times the sum of all. each: a divisor of LANES; found, whose vectors become the sums of all numbers
    up to there: int32; tags: int64.
    """

    def generate(context, builder, signature, args):
        code = _Code(context, builder, signature, args)
        found, at, each, n, factor, tags, to = code.args
        nothing = ir.Constant(_ints, [0] * LANES)
        total = code.variable(_integer(0))
        with code.loop(builder.mul(n, each), LANES) as (v, _):
            x = code.load(found, builder.add(at, v), _ints)
            for by in (1, 2, 4, 8):
                places = [i + LANES - by for i in range(LANES)]
                x = builder.add(x, builder.shuffle_vector(nothing, x, ir.Constant(_ints, places)))
            code.store(x, found, builder.add(at, v), _ints)
        with code.loop(n) as (t, _):
            first = builder.mul(t, each)
            x = code.load(found, builder.add(at, builder.sub(builder.add(first, each), _integer(1))))
            inside = builder.icmp_signed("!=", builder.and_(first, _integer(LANES - 1)), _integer(0))
            before = builder.sub(first, builder.zext(inside, _int64))
            before = builder.select(inside, code.load(found, builder.add(at, before)), ir.Constant(_int32, 0))
            own = builder.mul(builder.sext(builder.sub(x, before), _int64), factor)
            builder.store(builder.add(builder.load(total), own), total)
            place = builder.add(to, t)
            code.store(builder.add(code.load(tags, place), own), tags, place)
        return builder.load(total)

    return types.int64(found, at, each, n, factor, tags, to), generate


@intrinsic
def blank(typing, found, at, n):
    """Make found[at:] of n numbers, a multiple of LANES, 0. int32."""

    def generate(context, builder, signature, args):
        code = _Code(context, builder, signature, args)
        found, start, n = code.args
        with code.loop(n, LANES) as (v, _):
            code.store(ir.Constant(_ints, [0] * LANES), found, builder.add(start, v), _ints)
        return context.get_dummy_value()

    return types.void(found, at, n), generate


@intrinsic
def judge(typing, boxes, at, stride, state, n, skip, base, first, number, width, outer, inner, open_rows):
    """Which of `number` <= 32 boxes, added to others, are out of reach on some row, and not certain to be right.

    The sum of base and of boxes[at + (skip + j) * stride + node_j * width:] for j < n, where node_j is byte j of
    `state`, and of one of boxes[at + (first + i) * width:]: bit i where it is above `outer` on some row, bit 32 + i
    where it is below -inner; the rows on which a lower bound is are bits of open_rows[i], and those on which an upper
    one is are so 32 bits further.
    """

    def generate(context, builder, signature, args):
        code = _Code(context, builder, signature, args)
        boxes, start, stride, state, n, skip, base, first, number, width, outer, inner, opened = code.args
        outer, inner = code.splat(outer, _floats), code.splat(builder.fneg(inner), _floats)
        found = code.variable(_integer(0))
        none = ir.Constant(ir.IntType(LANES), 0)
        half, behind = ir.IntType(LANES // 2), ir.Constant(ir.IntType(LANES), LANES // 2)
        others = builder.add(start, builder.mul(skip, stride))
        with code.loop(number) as (i, _):
            code.store(_integer(0), opened, i)
        with code.loop(width, LANES) as (v, _):
            sums = code.variable(ir.Constant(_floats, [0.0] * LANES))
            builder.store(code.load(base, v, _floats), sums)
            code.add_boxes(boxes, builder.add(others, v), stride, state, n, width, sums)
            where = builder.add(builder.add(start, v), builder.mul(first, width))
            with code.loop(number) as (i, _):
                x = code.load(boxes, builder.add(where, builder.mul(i, width)), _floats)
                x = builder.fadd(x, builder.load(sums))
                for how, limit, shift in ((">", outer, 0), ("<", inner, 32)):
                    bits = builder.bitcast(builder.fcmp_ordered(how, x, limit), ir.IntType(LANES))
                    if shift:
                        low, high = builder.trunc(bits, half), builder.trunc(builder.lshr(bits, behind), half)
                        rows = builder.shl(builder.zext(high, _int64), _integer(32))
                        rows = builder.shl(builder.or_(rows, builder.zext(low, _int64)), builder.lshr(v, _integer(1)))
                        code.store(builder.or_(code.load(opened, i), rows), opened, i)
                    bit = builder.zext(builder.icmp_unsigned("!=", bits, none), _int64)
                    bit = builder.shl(bit, builder.add(i, _integer(shift)))
                    builder.store(builder.or_(builder.load(found), bit), found)
        return builder.load(found)

    kinds = (boxes, at, stride, state, n, skip, base, first, number, width, outer, inner, open_rows)
    return types.int64(*kinds), generate


@intrinsic
def count_bits(typing, x):
    """How many bits of x, a 64-bit word, are set."""

    def generate(context, builder, signature, args):
        code = _Code(context, builder, signature, args)
        return code.call("llvm.ctpop.i64", _int64, code.args[0])

    return types.int64(x), generate


@intrinsic
def lowest_bit(typing, x):
    """The place of the lowest bit set in x, a 64-bit word that is not 0."""

    def generate(context, builder, signature, args):
        code = _Code(context, builder, signature, args)
        return code.call("llvm.cttz.i64", _int64, code.args[0], ir.Constant(_int1, 1))

    return types.int64(x), generate
