"""Records of arrays that compiled functions read through one pointer.

A NamedTuple of twenty arrays is two hundred values to Numba, which it types, unpacks and passes at every call; a record
here is one pointer to a table of addresses and shapes. The table and one block of memory for all work arrays are made
outside compiled code, which so allocates nothing.
"""

from __future__ import annotations

import gc
import operator
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any, get_args, get_type_hints

import numpy as np
from llvmlite import ir
from llvmlite.binding import create_new_function_pass_manager
from numba import from_dtype, njit
from numba.core import cgutils, types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler, Flags
from numba.core.errors import TypingError
from numba.core.imputils import lower_builtin, lower_getattr, lower_getattr_generic
from numba.core.typing.templates import AttributeTemplate
from numba.extending import infer_getattr, intrinsic, models, register_model
from numpy.typing import NDArray

_ALIGNED = 64  # bytes
_word = ir.IntType(64)


class Bare(types.Array):
    """Numba's type of a C-contiguous array whose indices are known to be in range and not negative.

    Nothing but integers may be its indices; without all of them it gives a part, which is an array of this type.
    """

    def __init__(self, dtype: Any, ndim: int) -> None:
        super().__init__(dtype, ndim, "C", name=f"Bare({dtype}, {ndim})")

    def copy(self, dtype: Any = None, ndim: Any = None, layout: Any = None, readonly: Any = None) -> Any:
        return Bare(self.dtype if dtype is None else dtype, self.ndim if ndim is None else ndim)


@register_model(Bare)
class _BareModel(models.StructModel):
    def __init__(self, manager, kind):
        members = [("data", types.CPointer(kind.dtype)), ("shape", types.UniTuple(types.intp, kind.ndim))]
        super().__init__(manager, kind, members)


@lower_getattr(Bare, "shape")
def _shape(context, builder, kind, value):
    return context.make_helper(builder, kind, value).shape


def _part(context, builder, signature, args):
    """The type of an array, what is known of its part at an index, and the lengths of the axes that are left."""
    kind, of = signature.args[:2]
    array = context.make_helper(builder, kind, args[0])
    shape = cgutils.unpack_tuple(builder, array.shape, kind.ndim)
    several = isinstance(of, types.BaseTuple)
    index = cgutils.unpack_tuple(builder, args[1], len(of)) if several else [args[1]]
    at = _word(0)
    for axis, length in enumerate(shape):
        if axis:
            at = builder.mul(at, length)
        if axis < len(index):
            at = builder.add(at, context.cast(builder, index[axis], of[axis] if several else of, types.int64))
    return kind.dtype, builder.gep(array.data, [at], inbounds=True), shape[len(index) :]


@lower_builtin(operator.getitem, Bare, types.Integer)
@lower_builtin(operator.getitem, Bare, types.UniTuple)
@lower_builtin(operator.getitem, Bare, types.Tuple)
def _item(context, builder, signature, args):
    dtype, data, shape = _part(context, builder, signature, args)
    if not shape:
        return context.unpack_value(builder, dtype, data)
    part = context.make_helper(builder, signature.return_type)
    part.data = data
    part.shape = cgutils.pack_array(builder, shape)
    return part._getvalue()


@lower_builtin(operator.setitem, Bare, types.Integer, types.Any)
@lower_builtin(operator.setitem, Bare, types.UniTuple, types.Any)
@lower_builtin(operator.setitem, Bare, types.Tuple, types.Any)
def _set_item(context, builder, signature, args):
    dtype, data, _ = _part(context, builder, signature, args)
    context.pack_value(builder, dtype, context.cast(builder, args[2], signature.args[2], dtype), data)
    return context.get_dummy_value()


@intrinsic
def between(typing, array, first, stop):
    """The numbers of a `Bare` array of one axis from `first` up to `stop`, which lie in it."""

    def generate(context, builder, signature, args):
        part = context.make_helper(builder, array, args[0])
        part.data = builder.gep(part.data, [args[1]], inbounds=True)
        part.shape = cgutils.pack_array(builder, [builder.sub(args[2], args[1])])
        return part._getvalue()

    return array(array, types.int64, types.int64), generate


class RecordType(types.Type):
    """Numba's type of a pointer to the table of a record; fields: type and place of each."""

    def __init__(self, record: type) -> None:
        self.fields: dict[str, tuple[Any, int]] = {}
        self.length = 0
        for name, hint in get_type_hints(record, include_extras=True).items():
            if hint in (int, float):
                self.fields[name] = (types.int64 if hint is int else types.float64, self.length)
                self.length += 1
            else:
                array, n_axes = get_args(hint)
                dtype = np.dtype(get_args(get_args(array)[1])[0])
                self.fields[name] = (Bare(from_dtype(dtype), n_axes), self.length)
                self.length += 1 + n_axes
        super().__init__(f"Record({record.__name__})")


@register_model(RecordType)
class _RecordModel(models.PrimitiveModel):
    def __init__(self, manager, kind):
        super().__init__(manager, kind, _word.as_pointer())


@infer_getattr
class _RecordAttributes(AttributeTemplate):
    key = RecordType

    def generic_resolve(self, value, attr):
        return value.fields[attr][0] if attr in value.fields else None


@lower_getattr_generic(RecordType)
def _field(context, builder, kind, value, name):
    of, place = kind.fields[name]

    def word(i):
        loaded = builder.load(builder.gep(value, [_word(place + i)]))
        loaded.set_metadata("invariant.load", builder.module.add_metadata([]))
        return loaded

    if not isinstance(of, types.Array):
        return builder.bitcast(word(0), context.get_data_type(of))
    array = context.make_helper(builder, of)
    array.data = builder.inttoptr(word(0), array.data.type)
    array.shape = cgutils.pack_array(builder, [word(1 + axis) for axis in range(of.ndim)])
    return array._getvalue()


class _Whole(JITCodeLibrary):
    """Code that is optimised once, when it is complete.

    Numba does so twice, for the sake of what counts references, and each function by itself before. All that pays
    before is what makes functions small.
    """

    def _optimize_functions(self, ll_module) -> None:
        ll_module.data_layout = self._codegen._data_layout
        passes, builder = create_new_function_pass_manager(), self._codegen._pass_builder()
        passes.add_sroa_pass()
        passes.add_simplify_cfg_pass()
        passes.add_instruction_combine_pass()
        for function in ll_module.functions:
            if not function.is_declaration:
                passes.run(function, builder)

    def _optimize_final_module(self) -> None:
        passes, builder = self._codegen._module_pass_manager()
        passes.run(self._final_module, builder)


class _Part(_Whole):
    """Code that is only ever linked into other code, and optimised there."""

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        return 0

    @property
    def codegen(self):
        return self

    def set_env(self, name: str, env: object) -> None:
        """Nothing is raised, printed or boxed, which alone would need it."""


class _Flags(Flags):
    """Numba's options, which it compares at every call that it types, option by option: 40 % of a compilation."""

    __slots__ = ()
    _hash = hash(Flags())

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Flags):
            return NotImplemented
        mine, its = self._values, other._values
        return mine == its or all(getattr(self, name) == getattr(other, name) for name in mine.keys() | its.keys())


@contextmanager
def _types_remembered() -> Iterator[None]:
    """While it lasts, a call of what Numba itself knows is typed once for the same types of arguments.

    Numba tries all its templates at every call, and types most calls more than once: a sixth of a compilation.
    """
    function = types.Function
    if "get_call_type" in vars(function):
        yield
        return
    resolve = function.get_call_type
    known: dict[Any, Any] = {}

    def get_call_type(self, context, args, kws):
        asked = (self, args, tuple(sorted(kws.items())))
        if asked not in known:
            known[asked] = resolve(self, context, args, kws)
        return known[asked]

    setattr(function, "get_call_type", get_call_type)  # noqa: B010
    try:
        yield
    finally:
        delattr(function, "get_call_type")


class WholeCompiler(Compiler):
    """For functions that are called from Python."""

    _library: type[JITCodeLibrary] = _Whole

    def __init__(self, typingctx, targetctx, library, args, return_type, flags, locals):
        super().__init__(typingctx, targetctx, library, args, return_type, _Flags(flags), locals)

    def define_pipelines(self):
        library = self._library(self.state.targetctx.codegen(), self.state.func_id.func_qualname)
        library.enable_object_caching()
        self.state.library = library
        return super().define_pipelines()

    def compile_extra(self, func):
        """Without garbage collection: all that is being compiled is in use, and looking through it takes long."""
        collects = gc.isenabled()
        gc.disable()
        try:
            with _types_remembered():
                return super().compile_extra(func)
        finally:
            if collects:
                gc.enable()


class PartCompiler(WholeCompiler):
    """For functions that compiled functions alone call: saves optimising and translating them by themselves."""

    _library = _Part


def piece(**options: Any) -> Any:
    """A decorator: `numba.njit` for functions that compiled functions alone call, with literal arguments as any others.

    Numba would compile the function anew for each constant that it is called with, and for each that a variable may
    hold as far as types are known: up to six times. Called from Python, for which it is not wrapped, such a function
    raises TypeError.
    """

    def decorate(function):
        made = njit(**options)(function)
        template = made.get_call_template
        made.get_call_template = lambda args, kws: template(
            [types.unliteral(kind) for kind in args], {name: types.unliteral(kind) for name, kind in kws.items()}
        )
        made.add_overload = lambda done: made.overloads.__setitem__(tuple(done.signature.args), done)
        made._compile_for_args = refused
        return made

    def refused(*args: Any, **kwargs: Any) -> Any:
        raise TypeError("compiled functions alone call this one: call its py_func")

    return decorate


@dataclass(frozen=True)
class Unset:
    """The shape of an array that is written before it is read, so that nobody need fill it with zeros."""

    shape: int | tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """A table whose work arrays lie at offsets, how many bytes they take together, and how many of these are zeros.

    moving: places in the table that the address of those bytes is added to; constants: arrays that lie elsewhere.
    """

    table: NDArray[np.uint64]
    moving: NDArray[np.int64]
    size: int
    zeros: int
    constants: tuple[NDArray[Any], ...]
    arrays: dict[tuple[type, str], tuple[int, int, tuple[int, ...], Any]]

    def place(self) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
        """A table of its own for one search, and the memory that must live as long."""
        if self.zeros == self.size:
            block = np.zeros(self.size + _ALIGNED, np.uint8)  # only pages that are used are filled
        else:
            block = np.empty(self.size + _ALIGNED, np.uint8)
            block[: self.zeros + _ALIGNED] = 0
        start = _address(block)
        table = self.table.copy()
        table[self.moving] += np.uint64(start - start % -_ALIGNED)
        return table, block[-start % _ALIGNED :]

    def read(self, block: NDArray[np.uint8], record: type, name: str) -> NDArray[Any]:
        """The work array `name` of a record."""
        start, stop, shape, dtype = self.arrays[record, name]
        return block[start:stop].view(dtype).reshape(shape)


class Program:
    """Records that lie in one table, one after another: their types, and where each begins."""

    def __init__(self, records: Sequence[type]) -> None:
        self.kinds = {record: RecordType(record) for record in records}
        self.starts: dict[type, int] = {}
        self.length = 0
        for record, kind in self.kinds.items():
            self.starts[record] = self.length
            self.length += kind.length

    def place(self, record: type, name: str) -> int:
        """Where a field begins in the table."""
        return self.starts[record] + int(self.kinds[record].fields[name][1])

    def reader(self, record: type) -> Any:
        """A function for compiled code: table (uint64), or a pointer to it, -> the record."""
        kind, start = self.kinds[record], self.starts[record]

        @intrinsic
        def read(typing, table):
            def generate(context, builder, signature, args):
                return builder.gep(_data(context, builder, signature, args), [_word(start)])

            return kind(table), generate

        return read

    def writer(self, record: type) -> Any:
        """A function for compiled code that puts a record of arrays and numbers, which must outlive it, into a table.

        Not for functions that read from the table: what is read counts as unchanging.
        """
        kind, start = self.kinds[record], self.starts[record]

        @intrinsic
        def write(typing, table, value):
            for (expected, _), given in zip(kind.fields.values(), value):
                wanted = (getattr(expected, "dtype", expected), getattr(expected, "layout", None))
                if wanted != (getattr(given, "dtype", given), getattr(given, "layout", None)):
                    raise TypingError(f"a {record.__name__} holds {given}, not {expected}")

            def generate(context, builder, signature, args):
                data = _data(context, builder, signature, args)
                for i, (expected, place) in enumerate(kind.fields.values()):
                    words = [builder.extract_value(args[1], i)]
                    if isinstance(expected, types.Array):
                        array = context.make_array(signature.args[1][i])(context, builder, words[0])
                        words = [builder.ptrtoint(array.data, _word)]
                        words += cgutils.unpack_tuple(builder, array.shape, expected.ndim)
                    for at, word in enumerate(words, start + place):
                        builder.store(builder.bitcast(word, _word), builder.gep(data, [_word(at)]))
                return context.get_dummy_value()

            return types.void(table, value), generate

        return write

    def plan(self, shapes: dict[type, dict[str, Any]]) -> Plan:
        """Lay out work arrays.

        shapes: for each record and field a shape, of zeros or `Unset`, an array that nobody writes to, or a number.
        """
        table = np.zeros(self.length, np.uint64)
        moving, constants, arrays, size, zeros = [], [], {}, 0, 0
        fields = [(record, name, shape) for record, fields in shapes.items() for name, shape in fields.items()]
        for record, name, shape in sorted(fields, key=lambda field: isinstance(field[2], Unset)):
            kind, place = self.kinds[record].fields[name]
            dtype = _dtype(kind)
            place += self.starts[record]
            if not isinstance(kind, types.Array):
                table[place] = shape
                continue
            if isinstance(shape, np.ndarray):
                constants.append(np.ascontiguousarray(shape, dtype))
                shape = shape.shape
                table[place] = _address(constants[-1])
            else:
                unset = isinstance(shape, Unset)
                shape = shape.shape if unset else shape
                shape = shape if isinstance(shape, tuple) else (shape,)
                table[place] = size
                moving.append(place)
                stop = size + prod(shape) * dtype.itemsize
                arrays[record, name] = (size, stop, shape, dtype)
                size = stop - stop % -_ALIGNED
                zeros = zeros if unset else size
            table[place + 1 : place + 1 + len(shape)] = shape
        return Plan(table, np.array(moving), size, zeros, tuple(constants), arrays)


CALLED = types.void(types.CPointer(types.uint64), types.int64, types.int64, types.int64)
"""The signature of a function that `call` calls."""


@intrinsic
def call(typing, address, table, a, b, c):
    """Call the function at `address` (see `compilation.compiled_at`) with a pointer to the table, and three numbers."""

    def generate(context, builder, signature, args):
        given = [_data(context, builder, signature, args, 1), *args[2:]]
        kind = ir.FunctionType(ir.VoidType(), [value.type for value in given])
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), given)
        return context.get_dummy_value()

    return types.void(types.int64, table, *CALLED.args[1:]), generate


def _data(context, builder, signature, args, i=0):
    """The pointer to the table, where argument i is one, or an array."""
    if isinstance(signature.args[i], types.CPointer):
        return args[i]
    return data_of(context, builder, signature.args[i], args[i])


def data_of(context, builder, kind, value):
    """Where the numbers of an array lie."""
    if isinstance(kind, Bare):
        return context.make_helper(builder, kind, value).data
    return context.make_array(kind)(context, builder, value).data


def _dtype(kind: Any) -> np.dtype[Any]:
    return np.dtype(str(kind.dtype if isinstance(kind, types.Array) else kind))


def _address(array: NDArray[Any]) -> int:
    return int(array.__array_interface__["data"][0])
