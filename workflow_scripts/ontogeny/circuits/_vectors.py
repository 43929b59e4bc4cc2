"""Inner loops of the compiled search as explicit vector instructions, which no auto-vectoriser need find.

Each is a Numba intrinsic on C-contiguous arrays without bounds checks. Vectors are 512 bits wide; LLVM splits them for
processors with narrower ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

WORDS = 8  # bit sets are a multiple of this many 64-bit words long
LANES = 16  # rows of float32 tables are a multiple of this long
DOUBLES = 8  # rows of float64 tables are a multiple of this long

_int1, _int8, _int32, _int64 = (ir.IntType(n) for n in (1, 8, 32, 64))
_bits = ir.VectorType(_int64, WORDS)
_floats = ir.VectorType(ir.FloatType(), LANES)
_doubles = ir.VectorType(ir.DoubleType(), DOUBLES)
_ints = ir.VectorType(_int32, LANES)


class _Code:
    """Loads, stores and loops for one intrinsic."""

    def __init__(self, context, builder, signature, args) -> None:
        self.builder = builder
        self.args = [
            context.make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value
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
        zero = ir.Constant(ir.FloatType(), 0.0)
        best, edges = code.variable(n), code.variable(_integer(0))
        most, wide = code.variable(zero), code.variable(zero)
        number = code.call("llvm.ctpop.i64", _int64, rows)
        with code.loop(n) as (j, _):
            node = builder.and_(builder.lshr(state, builder.shl(j, _integer(3))), _integer(255))
            place = builder.add(builder.mul(j, stride), builder.mul(node, width))
            place = builder.add(start, place)
            own, rest = code.variable(zero), code.variable(rows)
            with code.loop(number):
                left = builder.load(rest)
                s = code.call("llvm.cttz.i64", _int64, left, ir.Constant(_int1, 1))
                builder.store(builder.and_(left, builder.sub(left, _integer(1))), rest)
                half = LANES // 2
                at = builder.add(builder.add(place, s), builder.and_(s, _integer(-half)))
                builder.store(builder.fadd(builder.load(own), code.load(spans, at)), own)
                other = code.load(spans, builder.add(at, _integer(half)))
                builder.store(builder.fadd(builder.load(wide), other), wide)
            its = code.load(free, node)
            builder.store(builder.add(builder.load(edges), its), edges)
            none = builder.icmp_signed("==", builder.load(best), n)
            better = builder.or_(none, builder.fcmp_ordered(">", builder.load(own), builder.load(most)))
            better = builder.and_(better, builder.icmp_signed(">", its, _integer(0)))
            builder.store(builder.select(better, builder.load(own), builder.load(most)), most)
            builder.store(builder.select(better, j, builder.load(best)), best)
        wider = builder.fcmp_ordered(">", builder.load(wide), builder.fmul(factor, builder.load(most)))
        found = builder.add(builder.load(best), builder.shl(builder.load(edges), _integer(8)))
        return builder.add(found, builder.shl(builder.zext(wider, _int64), _integer(16)))

    kinds = (spans, at, stride, state, n, width, free, rows, factor)
    return types.int64(*kinds), generate


@intrinsic
def combine(typing, sums, at, number, table, place, stride, n, width):
    """sums[at + (t * number + c) * width + v] = sums[at + c * width + v] + table[place + t * stride + v].

    For t < n, c < number and v < width, a multiple of LANES. float32.
    """

    def generate(context, builder, signature, args):
        code = _Code(context, builder, signature, args)
        sums, at, number, table, place, stride, n, width = code.args
        with code.loop(width, LANES) as (v, _):
            first, where = builder.add(at, v), builder.add(place, v)
            with code.loop(n) as (back, _):
                t = builder.sub(builder.sub(n, _integer(1)), back)
                y = code.load(table, builder.add(where, builder.mul(t, stride)), _floats)
                before = builder.mul(t, number)
                with code.loop(number) as (c, _):
                    x = code.load(sums, builder.add(first, builder.mul(c, width)), _floats)
                    to = builder.mul(builder.add(before, c), width)
                    code.store(builder.fadd(x, y), sums, builder.add(first, to), _floats)
        return context.get_dummy_value()

    return types.void(sums, at, number, table, place, stride, n, width), generate


@intrinsic
def sum_up(typing, table, places, n, first, out, at, width):
    """out[at + v] = first + the sum of table[places[j] + v] over j < n, for v < width, a multiple of LANES. float32."""

    def generate(context, builder, signature, args):
        code = _Code(context, builder, signature, args)
        table, places, n, first, out, at, width = code.args
        first = code.splat(first, _floats)
        with code.loop(width, LANES) as (v, _):
            total = code.variable(first)
            with code.loop(n) as (j, _):
                x = code.load(table, builder.add(code.load(places, j), v), _floats)
                builder.store(builder.fadd(builder.load(total), x), total)
            code.store(builder.load(total), out, builder.add(at, v), _floats)
        return context.get_dummy_value()

    return types.void(table, places, n, first, out, at, width), generate


@intrinsic
def respond(typing, values, places, weights, n, bias, slope, gain, raw, out, at, width):
    """out[at + v] = the response of a neuron to inputs values[places[j] + v] with weights[j], j < n, times `gain`.

    Summed product by product, the bias last; negative sums times `slope`, and then all by the numbers of `gain` one
    after another; raw: the sums alone. v < width, a multiple of LANES; float32.
    """

    def generate(context, builder, signature, args):
        code = _Code(context, builder, signature, args)
        values, places, weights, n, bias, slope, gain, raw, out, at, width = code.args
        zero = ir.Constant(_floats, [0.0] * LANES)
        bias, slope = code.splat(bias, _floats), code.splat(slope, _floats)
        gains = [code.splat(builder.extract_value(gain, i), _floats) for i in range(2)]
        with code.loop(width, LANES) as (v, _):
            total = code.variable(zero)
            with code.loop(n) as (j, _):
                x = code.load(values, builder.add(code.load(places, j), v), _floats)
                x = builder.fmul(x, code.splat(code.load(weights, j), _floats))
                builder.store(builder.fadd(builder.load(total), x), total)
            x = builder.fadd(builder.load(total), bias)
            y = builder.select(builder.fcmp_ordered(">", x, zero), x, builder.fmul(x, slope))
            y = builder.fmul(builder.fmul(y, gains[0]), gains[1])
            code.store(builder.select(raw, x, y), out, builder.add(at, v), _floats)
        return context.get_dummy_value()

    kinds = (values, places, weights, n, bias, slope, gain, raw, out, at, width)
    return types.void(*kinds), generate


@intrinsic
def weigh(
    typing, sums, at, other, step, width, n_rows, n, n_other, inner, outer, weights, filled, hits, lane, found, beside,
    doubts,
):  # fmt: skip
    """Which sums of two vectors, c < n of one table and t < n_other of another, are small enough on all rows.

    x = |sums[at + r * step + c * width + v] + sums[other + r * step + t * width + v]| for r < n_rows and v < filled,
    of LANES. For all c and t where no x is beyond `inner`, weights[v] is added to found[c * LANES + v], and 1 to
    hits[lane + v]; where none is beyond `outer`, the weight to found[beside + t * LANES + v]. doubts[t]: whether
    that may be other ones. float32; weights, 0 from `filled` on, found and doubts: int32; hits: int64; n_other: a power
    of 2. A function of its own, so that all it needs stays in registers.
    """

    def generate(context, builder, signature, args):
        whole = _Code(context, builder, signature, args)
        with whole.apart("ontogeny_weigh") as code:
            n_rows, n_other = code.args[5], code.args[7]
            for known in (1, 2, 3, 0):
                these = code.builder.icmp_signed("==" if known else ">", n_rows, _integer(known or 3))
                with code.builder.if_then(these):
                    one = code.builder.icmp_signed("==", n_other, _integer(1))
                    with code.builder.if_else(one) as (alone, pairs):
                        with alone:
                            _weigh(code, known, 1)
                        with pairs:
                            _weigh(code, known, 2)
        return context.get_dummy_value()

    kinds = (
        sums, at, other, step, width, n_rows, n, n_other, inner, outer, weights, filled, hits, lane, found, beside,
        doubts,
    )  # fmt: skip
    return types.void(*kinds), generate


def _weigh(code, known, at_a_time) -> None:
    """What `weigh` does, for a number of rows that is known, or 0, and a few t at a time."""
    builder = code.builder
    (
        sums, at, other, step, width, n_rows, n, n_other, inner, outer, weights, filled, hits, lane, found, beside,
        doubts,
    ) = code.args  # fmt: skip
    inner, outer = code.splat(inner, _floats), code.splat(outer, _floats)
    nothing = ir.Constant(_ints, [0] * LANES)
    weight = code.load(weights, _integer(0), _ints)
    sure_in_all = code.variable(nothing)

    def add_to(place, by):
        builder.store(builder.add(builder.load(place), by), place)

    def on_row(start, r):
        return builder.add(start, builder.mul(step, r if isinstance(r, ir.Value) else _integer(r)))

    with code.loop(n_other, at_a_time) as (t, _):
        each = [builder.add(t, _integer(i)) for i in range(at_a_time)]
        starts = [builder.add(other, builder.mul(own, width)) for own in each]
        table = [[code.load(sums, on_row(start, r), _floats) for r in range(known or 1)] for start in starts]
        sure_here, *possible_of = (code.variable(nothing) for _ in range(1 + at_a_time))
        for place in (sure_here, *possible_of):
            builder.store(nothing, place)
        with code.loop(n) as (c, _):
            to = builder.mul(c, _integer(LANES))
            first = builder.add(at, builder.mul(c, width))
            own = [code.load(sums, on_row(first, r), _floats) for r in range(known or 1)]
            total = code.load(found, to, _ints)
            for start, row, seen in zip(starts, table, possible_of):
                worst = None
                for x, y in zip(own, row):
                    x = code.call(f"llvm.fabs.v{LANES}f32", _floats, builder.fadd(x, y))
                    worst = x if worst is None else code.larger(x, worst)
                if not known:
                    most = code.variable(worst)
                    builder.store(worst, most)
                    with code.loop(builder.sub(n_rows, _integer(1))) as (r, _):
                        r = builder.add(r, _integer(1))
                        x, y = (code.load(sums, on_row(place, r), _floats) for place in (first, start))
                        x = code.call(f"llvm.fabs.v{LANES}f32", _floats, builder.fadd(x, y))
                        builder.store(code.larger(x, builder.load(most)), most)
                    worst = builder.load(most)
                sure = builder.fcmp_ordered("<=", worst, inner)
                possible = builder.fcmp_ordered("<=", worst, outer)
                total = builder.add(total, builder.select(sure, weight, nothing))
                add_to(sure_here, builder.zext(sure, _ints))
                add_to(seen, builder.zext(possible, _ints))
            code.store(total, found, to, _ints)
        possible = nothing
        for own, place in zip(each, possible_of):
            seen = builder.load(place)
            possible = builder.add(possible, seen)
            to = builder.add(beside, builder.mul(own, _integer(LANES)))
            x = builder.add(code.load(found, to, _ints), builder.mul(seen, weight))
            code.store(x, found, to, _ints)
        unlike = builder.icmp_signed("!=", builder.load(sure_here), possible)
        unlike = builder.bitcast(unlike, ir.IntType(LANES))
        for own in each:
            code.store(builder.zext(unlike, _int32), doubts, own)
        add_to(sure_in_all, builder.load(sure_here))
    live = code.splat(builder.trunc(filled, _int32), _ints)
    live = builder.icmp_signed("<", ir.Constant(_ints, list(range(LANES))), live)
    x = builder.zext(builder.select(live, builder.load(sure_in_all), nothing), ir.VectorType(_int64, LANES))
    code.store(builder.add(code.load(hits, lane, x.type), x), hits, lane, x.type)


@intrinsic
def close_to(typing, sums, at, other, step, width, n_rows, n, inner, outer, doubts):
    """doubts[c] has a bit for each v whose x of t = 0, as of `weigh`, are not beyond `outer`, but `inner`."""

    def generate(context, builder, signature, args):
        code = _Code(context, builder, signature, args)
        sums, at, other, step, width, n_rows, n, inner, outer, doubts = code.args
        inner, outer = code.splat(inner, _floats), code.splat(outer, _floats)
        zero = ir.Constant(_floats, [0.0] * LANES)
        with code.loop(n) as (c, _):
            start = builder.add(at, builder.mul(c, width))
            worst = code.variable(zero)
            builder.store(zero, worst)
            with code.loop(n_rows) as (r, _):
                row = builder.mul(r, step)
                x, y = (code.load(sums, builder.add(place, row), _floats) for place in (start, other))
                x = code.call(f"llvm.fabs.v{LANES}f32", _floats, builder.fadd(x, y))
                builder.store(code.larger(x, builder.load(worst)), worst)
            sure = builder.fcmp_ordered("<=", builder.load(worst), inner)
            possible = builder.fcmp_ordered("<=", builder.load(worst), outer)
            close = builder.bitcast(builder.xor(sure, possible), ir.IntType(LANES))
            code.store(builder.zext(close, _int32), doubts, c)
        return context.get_dummy_value()

    kinds = (sums, at, other, step, width, n_rows, n, inner, outer, doubts)
    return types.void(*kinds), generate


@intrinsic
def fold(typing, found, at, n, number, parts):
    """parts[t], t < n: the sum of the vectors found[at + (t * number + c) * LANES:] of all c < number.

    found[at + c * LANES:] becomes the sum over t. int32; parts: int64.
    """

    def generate(context, builder, signature, args):
        code = _Code(context, builder, signature, args)
        found, at, n, number, parts = code.args
        whole = code.variable(ir.Constant(_ints, [0] * LANES))
        with code.loop(n) as (t, _):
            builder.store(ir.Constant(_ints, [0] * LANES), whole)
            start = builder.add(at, builder.mul(builder.mul(t, number), _integer(LANES)))
            later = builder.icmp_signed(">", t, _integer(0))
            with code.loop(number) as (c, _):
                place = builder.mul(c, _integer(LANES))
                x = code.load(found, builder.add(start, place), _ints)
                builder.store(builder.add(builder.load(whole), x), whole)
                first = builder.add(at, place)
                with builder.if_then(later):
                    code.store(builder.add(code.load(found, first, _ints), x), found, first, _ints)
            code.store(code.total(builder.load(whole)), parts, t)
        return context.get_dummy_value()

    return types.void(found, at, n, number, parts), generate


@intrinsic
def judge(typing, boxes, at, stride, state, n, skip, base, first, number, width, outer, inner, open_rows):
    """Which of `number` <= 32 boxes, added to others, are out of reach on some row, and not certain to be right.

    The sum of base and of boxes[at + (skip + j) * stride + node_j * width:] for j < n, where node_j is byte j of
    `state`, and of one of boxes[at + (first + i) * width:]: bit i where it is above `outer` on some row, bit 32 + i
    where it is below -inner; these rows are bits of open_rows[i].
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
                        sides = [builder.trunc(bits, half), builder.trunc(builder.lshr(bits, behind), half)]
                        rows = builder.zext(builder.or_(*sides), _int64)
                        rows = builder.shl(rows, builder.lshr(v, _integer(1)))
                        code.store(builder.or_(code.load(opened, i), rows), opened, i)
                    bit = builder.zext(builder.icmp_unsigned("!=", bits, none), _int64)
                    bit = builder.shl(bit, builder.add(i, _integer(shift)))
                    builder.store(builder.or_(builder.load(found), bit), found)
        return builder.load(found)

    kinds = (boxes, at, stride, state, n, skip, base, first, number, width, outer, inner, open_rows)
    return types.int64(*kinds), generate


@intrinsic
def lowest_bit(typing, x):
    """The place of the lowest bit set in x, a 64-bit word that is not 0."""

    def generate(context, builder, signature, args):
        code = _Code(context, builder, signature, args)
        return code.call("llvm.cttz.i64", _int64, code.args[0], ir.Constant(_int1, 1))

    return types.int64(x), generate
