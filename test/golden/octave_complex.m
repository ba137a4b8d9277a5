% Convolutions, and matrices of the Toeplitz family, of complex numbers as Octave computes them. Writes octave_complex.json.
%
%   octave-cli octave_complex.m     (package: signal)
%
% Every operand z is two tensors, z.re and z.im.
1;
pkg load signal
cd(fileparts(mfilename('fullpath')));
source octave_golden.m

function pairs = parts(name, z, write)
  % The two tensors of z: those of an empty name are re and im.
  if ! isempty(name)
    name = [name '.'];
  end
  pairs = {[name 're'], write(real(z)), [name 'im'], write(imag(z))};
end

function z = draw_complex(id, shape)
  z = complex(draw([id ' real'], shape), draw([id ' imaginary'], shape));
end

function check_convolutions(call, sizes, compute, write)
  for pair = sizes
    for shape = {'full', 'same', 'valid'}
      [a_size, b_size] = pair{1}{:};
      id = sprintf('%s of %s by %s, %s', call, by(a_size), by(b_size), shape{1});
      a = draw_complex([id ' a'], a_size);
      b = draw_complex([id ' b'], b_size);
      add(id, call, {'shape', ['"' shape{1} '"']}, [parts('a', a, write) parts('b', b, write)], parts('', compute(a, b, shape{1}), write));
    end
  end
end

global cases
cases = {};

check_convolutions('conv', {{7, 3}, {3, 7}, {5, 5}, {6, 4}, {1, 1}}, @(a, b, shape) conv(a(:).', b(:).', shape), @vector);
check_convolutions('conv2', {{[5 6], [3 3]}, {[5 6], [2 4]}, {[3 4], [1 1]}, {[3 4], [5 2]}}, @conv2, @matrix);
check_convolutions('convn', {{[4 5 3], [2 3 2]}, {[3 3 2], [2 2 4]}}, @convn, @cube);

% As in octave_signal.m, the linear one wrapped: exact on the grid.
for sizes = {{5, 4, 3}, {5, 4, 8}, {5, 4, 12}}
  [na, nb, n] = sizes{1}{:};
  id = sprintf('cconv of %d by %d modulo %d', na, nb, n);
  a = draw_complex([id ' a'], na).';
  b = draw_complex([id ' b'], nb).';
  y = zeros(1, n);
  full = conv(a, b);
  for i = 1:numel(full)
    at = mod(i - 1, n) + 1;
    y(at) += full(i);
  end
  assert(max(abs(y - cconv(a, b, n))) < 1e-12 * (1 + max(abs(full))));
  add(id, 'cconv', {'n', num2str(n)}, [parts('a', a, @vector) parts('b', b, @vector)], parts('', complex(y), @vector));
end

for sizes = {[4 4], [5 3], [3 6], [1 1], [9 9]}
  shape = sizes{1};
  for call = {'toeplitz', 'hankel', 'circulant'}
    if strcmp(call{1}, 'circulant') && shape(1) != shape(2)
      continue
    end
    id = sprintf('%s of %s', call{1}, by(shape));
    c = draw_complex([id ' c'], shape(1));
    r = draw_complex([id ' r'], shape(2));
    x = draw_complex([id ' x'], shape(2));
    y = draw_complex([id ' y'], shape(1));
    operands = parts('c', c, @vector);
    switch call{1}
      case 'toeplitz'
        r(1) = c(1);
        A = toeplitz(c, r);
      case 'hankel'
        r(1) = c(end);
        A = hankel(c, r);
      case 'circulant'
        A = toeplitz(c, c([1 end:-1:2]));
    end
    if ! strcmp(call{1}, 'circulant')
      operands = [operands parts('r', r, @vector)];
    end
    operands = [operands parts('x', x, @vector) parts('y', y, @vector)];
    expected = [parts('dense', A, @matrix) parts('matvec', A * x, @vector) parts('rmatvec', A' * y, @vector)];
    % Hankel matrices are not solved with, and of one number both would be rounded.
    if ! strcmp(call{1}, 'hankel') && shape(1) == shape(2) && shape(1) > 1
      b = draw_complex([id ' b'], shape(1));
      operands = [operands parts('b', b, @vector)];
      expected = [expected parts('solution', A \ b, @vector) {'condition', sprintf('%.17g', cond(A))}];
    end
    add(id, call{1}, {}, operands, expected);
  end
end

write_family('octave_complex', 'signal 1.4.3');
