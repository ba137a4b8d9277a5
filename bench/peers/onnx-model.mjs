// ONNX models of one node, Conv or QLinearConv, written by hand: the few fields of onnx.proto that it takes.

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
const UINT8 = 2;
const INT8 = 3;
const INT32 = 6;
const INT_ATTRIBUTE = 2;
const INTS_ATTRIBUTE = 7;

const attribute = (name, values) =>
  Array.isArray(values)
    ? message(5, bytes(1, name), ...values.map((value) => integer(8, value)), integer(20, INTS_ATTRIBUTE))
    : message(5, bytes(1, name), integer(3, values), integer(20, INT_ATTRIBUTE));

const TYPES = new Map([
  [Float32Array, FLOAT],
  [Uint8Array, UINT8],
  [Int8Array, INT8],
  [Int32Array, INT32],
]);

const initializer = (name, shape, data) =>
  message(
    5,
    ...shape.map((size) => integer(1, size)),
    integer(2, TYPES.get(data.constructor)),
    bytes(8, name),
    bytes(9, Buffer.from(data.buffer, data.byteOffset, data.byteLength)),
  );

const valueInfo = (field, name, shape, type) =>
  message(
    field,
    bytes(1, name),
    message(
      2,
      message(1, integer(1, type), message(2, ...shape.map((size) => message(1, integer(1, size))))),
    ),
  );

const model = (layer, operator, inputs, constants, type) => {
  const { padding, stride, groups } = layer;
  const node = message(
    1,
    ...inputs.map((name) => bytes(1, name)),
    bytes(2, 'y'),
    bytes(4, operator),
    attribute('pads', [...padding, ...padding]),
    attribute('strides', stride),
    attribute('group', groups),
  );
  const graph = message(
    7,
    node,
    bytes(2, 'conv'),
    ...constants,
    valueInfo(11, 'x', layer.inputShape, type),
    valueInfo(12, 'y', layer.outputShape, type),
  );
  return Buffer.concat([integer(1, 8), graph, message(8, bytes(1, ''), integer(2, 13))]);
};

/** y = Conv(x, weight, bias), with weight and bias inside the model. */
export function convModel(layer, weight, bias) {
  const constants = [initializer('w', layer.weightShape, weight), initializer('b', [bias.length], bias)];
  return model(layer, 'Conv', ['x', 'w', 'b'], constants, FLOAT);
}

/** y = QLinearConv(x, …), uint8 by int8 to uint8, with all but x inside the model. */
export function qlinearConvModel(
  layer,
  weight,
  bias,
  { inputScale, inputZeroPoint, weightScale, outputScale, outputZeroPoint },
) {
  const scalar = (name, data) => initializer(name, [], data);
  const constants = [
    scalar('xs', Float32Array.of(inputScale)),
    scalar('xz', Uint8Array.of(inputZeroPoint)),
    initializer('w', layer.weightShape, weight),
    scalar('ws', Float32Array.of(weightScale)),
    scalar('wz', Int8Array.of(0)),
    scalar('ys', Float32Array.of(outputScale)),
    scalar('yz', Uint8Array.of(outputZeroPoint)),
    initializer('b', [bias.length], bias),
  ];
  return model(layer, 'QLinearConv', ['x', 'xs', 'xz', 'w', 'ws', 'wz', 'ys', 'yz', 'b'], constants, UINT8);
}
