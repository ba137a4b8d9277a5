// An ONNX model of one Conv node, written by hand: the few fields of onnx.proto that it takes.

const varint = (value) => {
  const bytes = [];
  let rest = BigInt(value);
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    bytes.push(rest > 0n ? low | 0x80 : low);
  } while (rest > 0n);
  return Buffer.from(bytes);
};
const integer = (field, value) => Buffer.concat([varint(field << 3), varint(value)]);
const bytes = (field, value) => {
  const data = Buffer.from(value);
  return Buffer.concat([varint((field << 3) | 2), varint(data.length), data]);
};
const message = (field, ...parts) => bytes(field, Buffer.concat(parts));

const FLOAT = 1;
const INT_ATTRIBUTE = 2;
const INTS_ATTRIBUTE = 7;

const attribute = (name, values) =>
  Array.isArray(values)
    ? message(5, bytes(1, name), ...values.map((value) => integer(8, value)), integer(20, INTS_ATTRIBUTE))
    : message(5, bytes(1, name), integer(3, values), integer(20, INT_ATTRIBUTE));

const initializer = (name, shape, data) =>
  message(
    5,
    ...shape.map((size) => integer(1, size)),
    integer(2, FLOAT),
    bytes(8, name),
    bytes(9, Buffer.from(data.buffer, data.byteOffset, data.byteLength)),
  );

const valueInfo = (field, name, shape) =>
  message(
    field,
    bytes(1, name),
    message(
      2,
      message(1, integer(1, FLOAT), message(2, ...shape.map((size) => message(1, integer(1, size))))),
    ),
  );

/** y = Conv(x, weight, bias), with weight and bias inside the model. */
export function convModel(layer, weight, bias) {
  const { padding, stride, groups } = layer;
  const node = message(
    1,
    ...['x', 'w', 'b'].map((name) => bytes(1, name)),
    bytes(2, 'y'),
    bytes(4, 'Conv'),
    attribute('pads', [...padding, ...padding]),
    attribute('strides', stride),
    attribute('group', groups),
  );
  const graph = message(
    7,
    node,
    bytes(2, 'conv'),
    initializer('w', layer.weightShape, weight),
    initializer('b', [bias.length], bias),
    valueInfo(11, 'x', layer.inputShape),
    valueInfo(12, 'y', layer.outputShape),
  );
  return Buffer.concat([integer(1, 8), graph, message(8, bytes(1, ''), integer(2, 13))]);
}
