"""Inner loops of the compiled search as explicit vector instructions, which no auto-vectoriser need find.

Each is a Numba intrinsic on C-contiguous arrays without bounds checks. Vectors are 512 bits wide; LLVM splits them for
processors with narrower ones.
"""

from __future__ import annotations

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
def furthest(typing, table, rows, low, high, n_rows, n_sets, out, at):
    """For t < n_sets: out[at + t] = max over r < n_rows of max(x + low[r], -x - high[r], 0), x = table[rows[r] + t].

    table, low, high, out: float32; rows: int64, where the rows begin.
    """

    def generate(context, builder, signature, args):
        code = _Code(context, builder, signature, args)
        table, rows, low, high, n_rows, n_sets, out, start = code.args
        with code.loop(n_sets, LANES) as (at, _):
            most = code.variable(ir.Constant(_floats, [0.0] * LANES))
            with code.loop(n_rows) as (r, _):
                x = code.load(table, builder.add(code.load(rows, r), at), _floats)
                above = builder.fadd(x, code.splat(code.load(low, r), _floats))
                under = builder.fneg(builder.fadd(x, code.splat(code.load(high, r), _floats)))
                builder.store(code.larger(code.larger(above, under), builder.load(most)), most)
            code.store(builder.load(most), out, builder.add(start, at), _floats)
        return context.get_dummy_value()

    return types.void(table, rows, low, high, n_rows, n_sets, out, at), generate


@intrinsic
def locate(typing, table, row, floor, scale, add, n_buckets, base, n_words, n_sets, out, at):
    """out[at + t] = (base + bucket) * n_words with bucket = int((floor - table[row + t]) * scale) + add.

    Buckets are cut to [0, n_buckets]. table: float32; out: int32; floor, scale: float32.
    """

    def generate(context, builder, signature, args):
        code = _Code(context, builder, signature, args)
        table, row, floor, scale, add, n_buckets, base, n_words, n_sets, out, start = code.args

        def whole(value):
            return code.splat(builder.trunc(value, _int32), _ints)

        floor, scale = code.splat(floor, _floats), code.splat(scale, _floats)
        top = builder.sitofp(builder.sub(n_buckets, add), ir.FloatType())
        top, add, base, n_words = code.splat(top, _floats), whole(add), whole(base), whole(n_words)
        low = ir.Constant(_floats, [-1.0] * LANES)
        zero = ir.Constant(_ints, [0] * LANES)
        with code.loop(n_sets, LANES) as (t, _):
            x = builder.fmul(builder.fsub(floor, code.load(table, builder.add(row, t), _floats)), scale)
            x = code.smaller(code.larger(x, low), top)
            # down, not towards zero: below 0 there is -1
            number = builder.fptosi(x, _ints)
            under = builder.zext(builder.fcmp_ordered("<", x, builder.sitofp(number, _floats)), _ints)
            number = builder.add(builder.sub(number, under), add)
            number = builder.select(builder.icmp_signed(">", number, zero), number, zero)
            code.store(builder.mul(builder.add(number, base), n_words), out, builder.add(start, t), _ints)
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
        with code.loop(n_words, WORDS) as (w, _):
            first = code.load(covers, builder.add(cover, w), _bits)
            sure, possible = code.variable(first), code.variable(first)
            with code.loop(n_places) as (c, _):
                flip = code.splat(code.load(flips, c), _bits)
                at = builder.add(builder.mul(builder.add(c, c), width), t)
                for kept, place in ((sure, at), (possible, builder.add(at, width))):
                    row = builder.add(builder.sext(code.load(places, place), _int64), w)
                    one = builder.xor(code.load(rows, row, _bits), flip)
                    builder.store(builder.and_(builder.load(kept), one), kept)
            own = builder.load(sure)
            extra = builder.xor(builder.load(possible), own)
            code.store(own, out, w, _bits)
            code.store(extra, out, builder.add(w, n_words), _bits)
            builder.store(builder.or_(builder.load(more), extra), more)
            ones = code.call(f"llvm.ctpop.v{WORDS}i64", _bits, own)
            builder.store(builder.add(builder.load(total), ones), total)
        number = code.call(f"llvm.vector.reduce.add.v{WORDS}i64", _int64, builder.load(total))
        some = code.call(f"llvm.vector.reduce.or.v{WORDS}i64", _int64, builder.load(more))
        some = builder.zext(builder.icmp_unsigned("!=", some, _integer(0)), _int64)
        return builder.add(builder.shl(number, _integer(1)), some)

    kinds = (rows, places, flips, n_places, width, t, covers, cover, n_words, out)
    return types.int64(*kinds), generate


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
def tally(typing, planes, at, number, n_words, bits):
    """Add bit set `bits` to the vertical counters planes[at:] after `number` others.

    (levels, 2, n_words) of them: of every 2^k sets one of weight 2^k is made; at level k the bits of that weight, and
    one set that waits for another. Carry-save adders as in Muła, Kurz and Lemire, Computer Journal 61 (2018).
    """

    def generate(context, builder, signature, args):
        code = _Code(context, builder, signature, args)
        planes, start, number, n_words, bits = code.args
        level = code.call("llvm.cttz.i64", _int64, builder.not_(number), ir.Constant(_int1, 0))
        two = builder.add(n_words, n_words)
        with code.loop(n_words, WORDS) as (w, _):
            carry = code.variable(code.load(bits, w, _bits))
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

    return types.void(planes, at, number, n_words, bits), generate


@intrinsic
def add(typing, a, at_a, b, at_b, live, width, out):
    """out[s] = (a[at_a + s] + b[at_b + s]) * live[s] for s < width, a multiple of DOUBLES. All float64."""

    def generate(context, builder, signature, args):
        code = _Code(context, builder, signature, args)
        a, at_a, b, at_b, live, width, out = code.args
        with code.loop(width, DOUBLES) as (s, _):
            x = code.load(a, builder.add(at_a, s), _doubles)
            x = builder.fadd(x, code.load(b, builder.add(at_b, s), _doubles))
            code.store(builder.fmul(x, code.load(live, s, _doubles)), out, s, _doubles)
        return context.get_dummy_value()

    return types.void(a, at_a, b, at_b, live, width, out), generate


@intrinsic
def errors(typing, sums, values, at, width, closed, edge):
    """0 if all |sums[s] + values[at + s]| of s < width are below `closed`, 2 or more if one is above `edge`, else 1.

    sums, values: float64; width: a multiple of DOUBLES.
    """

    def generate(context, builder, signature, args):
        code = _Code(context, builder, signature, args)
        sums, values, start, width, closed, edge = code.args
        closed, edge = code.splat(closed, _doubles), code.splat(edge, _doubles)
        zero = ir.Constant(ir.VectorType(_int1, DOUBLES), [0] * DOUBLES)
        near, beyond = code.variable(zero), code.variable(zero)
        with code.loop(width, DOUBLES) as (s, _):
            x = builder.fadd(code.load(sums, s, _doubles), code.load(values, builder.add(start, s), _doubles))
            x = code.call(f"llvm.fabs.v{DOUBLES}f64", _doubles, x)
            builder.store(builder.or_(builder.load(near), builder.fcmp_ordered(">=", x, closed)), near)
            builder.store(builder.or_(builder.load(beyond), builder.fcmp_ordered(">", x, edge)), beyond)

        def some(mask):
            return builder.icmp_unsigned("!=", builder.bitcast(builder.load(mask), _int8), ir.Constant(_int8, 0))

        return builder.add(
            builder.zext(some(near), _int64), builder.shl(builder.zext(some(beyond), _int64), _integer(1))
        )

    return types.int64(sums, values, at, width, closed, edge), generate
