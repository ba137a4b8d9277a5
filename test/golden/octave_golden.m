% What the scripts for Octave share: tensors and cases as golden.py lays them out; they are written row-major, vectors with
% one axis.
%
%   source octave_golden.m
1;

function json = encode(values, shape)
  % values in Octave's column-major order, as a tensor of this shape: the axes are reversed for row-major.
  if numel(shape) > 1
    values = permute(reshape(values, shape), numel(shape):-1:1);
  end
  data = '';
  if ! isempty(values)
    data = base64_encode(double(values(:).'));
  end
  json = sprintf('{"dtype":"float64","shape":[%s],"data":"%s"}', strjoin(arrayfun(@num2str, shape, 'UniformOutput', false), ','), data);
end

function json = vector(values)
  json = encode(values(:), numel(values));
end

function json = matrix(values)
  json = encode(values, size(values));
end

function json = named(pairs)
  % {name, json, name, json, …} as an object
  fields = cellfun(@(name, value) sprintf('"%s":%s', name, value), pairs(1:2:end), pairs(2:2:end), 'UniformOutput', false);
  json = ['{' strjoin(fields, ',') '}'];
end

function values = draw(id, shape)
  % Seeded by the id (Lehmer's generator: exact in doubles), on the grid of golden.py.
  state = 1;
  for code = double(id)
    state = mod(state * 31 + code, 2147483646);
  end
  state += 1;
  values = zeros(prod(shape), 1);
  for i = 1:numel(values) + 8
    state = mod(state * 16807, 2147483647);
    if i > 8
      values(i - 8) = (mod(state, 8191) - 4095) / 1024;
    end
  end
  values = reshape(values, [shape 1]);
end

function add(id, call, options, tensors, expected)
  global cases
  assert(! any(cellfun(@(one) ! isempty(strfind(one, ['"id":"' id '",'])), cases)), ['repeated id ' id]);
  cases{end + 1} = sprintf('{"id":"%s","call":"%s","args":%s,"tensors":%s,"expected":%s}', id, call, named(options), named(tensors), named(expected));
end

function text = by(sizes)
  text = strjoin(arrayfun(@num2str, sizes, 'UniformOutput', false), 'x');
end

function json = cube(values)
  % A tensor of three axes, though Octave drops trailing ones.
  json = encode(values, [size(values, 1) size(values, 2) size(values, 3)]);
end

function write_family(family, packages)
  global cases
  file = fopen([family '.json'], 'w');
  fprintf(file, '{"source": "Octave %s, %s", "cases": [\n%s\n]}\n', version(), packages, strjoin(cases, ",\n"));
  fclose(file);
  printf('%s.json: %d cases\n', family, numel(cases));
end
