% MATLAB's convolutions, transforms and block reshaping as Octave computes them. Writes octave_signal.json.
%
%   octave-cli octave_signal.m     (packages: image, signal)
1;
pkg load image signal

cd(fileparts(mfilename('fullpath')));
source octave_golden.m

function add_convolutions(kind, sizes, compute, write)
  % Every pair of sizes with every shape option; A and B are the operands of `compute`.
  for pair = sizes
    for shape = {'full', 'same', 'valid'}
      [a_size, b_size] = pair{1}{:};
      id = sprintf('%s of %s by %s, %s', kind, by(a_size), by(b_size), shape{1});
      A = draw([id ' A'], a_size);
      B = draw([id ' B'], b_size);
      add(id, kind, {'shape', ['"' shape{1} '"']}, {'A', write(A), 'B', write(B)}, {'output', write(compute(A, B, shape{1}))});
    end
  end
end

global cases
cases = {};

add_convolutions('conv', {{5, 3}, {3, 5}, {4, 4}, {6, 4}, {6, 1}, {1, 6}, {1, 1}, {7, 2}, {40, 17}, {17, 40}}, @(a, b, shape) conv(a(:).', b(:).', shape), @vector);
add_convolutions('conv2', {{[5 6], [3 3]}, {[5 6], [2 4]}, {[6 5], [4 1]}, {[3 4], [1 1]}, {[3 4], [3 4]}, {[3 4], [5 2]}, {[2 2], [4 5]}, {[1 1], [1 1]}, {[1 7], [1 3]}, {[12 13], [7 6]}}, @conv2, @matrix);
add_convolutions('filter2', {{[3 3], [5 6]}, {[2 4], [5 6]}, {[1 1], [3 4]}, {[3 4], [3 4]}, {[4 2], [6 5]}, {[4 5], [2 2]}}, @filter2, @matrix);
add_convolutions('convn', {{[4 5 3], [2 3 2]}, {[4 5 3], [3 3 3]}, {[3 3 2], [2 2 4]}, {[2 3 4], [1 1 1]}}, @convn, @cube);
for shape = {'full', 'same', 'valid'}
  id = sprintf('convn of 3x4x2x3 by 2x2x2x2, %s', shape{1});
  A = draw([id ' A'], [3 4 2 3]);
  B = draw([id ' B'], [2 2 2 2]);
  y = convn(A, B, shape{1});
  add(id, 'convn', {'shape', ['"' shape{1} '"']}, {'A', matrix(A), 'B', matrix(B)}, {'output', encode(y, [size(y, 1) size(y, 2) size(y, 3) size(y, 4)])});
  id = sprintf('convn of 4x5x3 by 2x3, %s: a kernel of fewer axes', shape{1});
  A = draw([id ' A'], [4 5 3]);
  B = draw([id ' B'], [2 3]);
  add(id, 'convn', {'shape', ['"' shape{1} '"']}, {'A', matrix(A), 'B', matrix(B)}, {'output', cube(convn(A, B, shape{1}))});
end
for sizes = {{3, 3, [5 6]}, {2, 4, [5 6]}, {1, 1, [3 4]}, {5, 2, [3 4]}, {4, 3, [7 9]}}
  for shape = {'full', 'same', 'valid'}
    [m, n, a_size] = sizes{1}{:};
    id = sprintf('conv2Separable of %d and %d over %s, %s', m, n, by(a_size), shape{1});
    column = draw([id ' column'], m);
    row = draw([id ' row'], n);
    A = draw([id ' A'], a_size);
    add(id, 'conv2Separable', {'shape', ['"' shape{1} '"']}, {'column', vector(column), 'row', vector(row), 'A', matrix(A)}, {'output', matrix(conv2(column, row.', A, shape{1}))});
  end
end

% Circular convolution wraps the linear one: exactly so on the grid, and as Octave's to its rounding.
for sizes = {{5, 4, 2}, {5, 4, 1}, {5, 4, 3}, {5, 4, 5}, {5, 4, 7}, {5, 4, 8}, {5, 4, 12}, {4, 5, 6}, {1, 1, 1}, {1, 1, 4}, {7, 1, 3}, {30, 20, 13}, {30, 20, 97}, {3, 6, 0}}
  [na, nb, n] = sizes{1}{:};
  id = sprintf('cconv of %d by %d modulo %d', na, nb, n);
  options = {'n', num2str(n)};
  if n == 0
    id = sprintf('cconv of %d by %d, modulo left out', na, nb);
    options = {};
    n = na + nb - 1;
  end
  a = draw([id ' a'], na).';
  b = draw([id ' b'], nb).';
  y = zeros(1, n);
  full = conv(a, b);
  for i = 1:numel(full)
    at = mod(i - 1, n) + 1;
    y(at) += full(i);
  end
  assert(max(abs(y - cconv(a, b, n))) < 1e-12 * (1 + max(abs(full))));
  add(id, 'cconv', options, {'a', vector(a), 'b', vector(b)}, {'output', vector(y)});
end
a = [1/2 -1/4 1 0 3/4];
b = [1 2 0 5];
add('cconv of the page, modulo 2', 'cconv', {'n', '2'}, {'a', vector(a), 'b', vector(b)}, {'output', vector([0.5 15.5])});
assert(max(abs(cconv(a, b, 2) - [0.5 15.5])) < 1e-14);
add('cconv of the page, first two of each, modulo 2', 'cconv', {'n', '2'}, {'a', vector(a(1:2)), 'b', vector(b(1:2))}, {'output', vector([0 0.75])});
assert(max(abs(cconv(a(1:2), b(1:2), 2) - [0 0.75])) < 1e-14);

for sizes = {{1, 1}, {2, 2}, {3, 3}, {4, 4}, {5, 5}, {6, 6}, {7, 7}, {8, 8}, {9, 9}, {12, 12}, {13, 13}, {15, 15}, {16, 16}, {17, 17}, {30, 30}, {31, 31}, {32, 32}, {60, 60}, {64, 64}, {97, 97}, {100, 100}, {127, 127}, {128, 128}, {8, 5}, {8, 1}, {5, 8}, {5, 13}, {1, 6}}
  [size_of_x, n] = sizes{1}{:};
  options = {'n', num2str(n)};
  id = sprintf('of %d to %d', size_of_x, n);
  x = draw([id ' real'], size_of_x);
  z = x + 1i * draw([id ' imaginary'], size_of_x);
  y = fft(x, n);
  add(['fft, real, ' id], 'fft', options, {'re', vector(x)}, {'re', vector(real(y)), 'im', vector(imag(y))});
  y = fft(z, n);
  add(['fft, complex, ' id], 'fft', options, {'re', vector(real(z)), 'im', vector(imag(z))}, {'re', vector(real(y)), 'im', vector(imag(y))});
  y = complex(ifft(z, n));
  add(['ifft, ' id], 'ifft', options, {'re', vector(real(z)), 'im', vector(imag(z))}, {'re', vector(real(y)), 'im', vector(imag(y))});
end

for sizes = {{[5 6], [2 3]}, {[4 4], [2 2]}, {[3 5], [2 2]}, {[3 4], [1 1]}, {[3 4], [3 4]}, {[5 3], [4 2]}, {[2 3], [3 5]}}
  for kind = {'sliding', 'distinct'}
    [a_size, block] = sizes{1}{:};
    options = {'block', sprintf('[%d,%d]', block), 'kind', ['"' kind{1} '"']};
    id = sprintf('im2col of %s, blocks %s, %s', by(a_size), by(block), kind{1});
    if strcmp(kind{1}, 'sliding') && any(block > a_size)
      continue
    end
    A = draw(id, a_size);
    B = im2col(A, block, kind{1});
    add(id, 'im2col', options, {'A', matrix(A)}, {'output', matrix(B)});
    % col2im of sliding blocks takes one value per block, that of distinct blocks takes the columns.
    id = strrep(id, 'im2col', 'col2im');
    if strcmp(kind{1}, 'sliding')
      B = draw(id, [1 size(B, 2)]);
    else
      B = draw(id, size(B));
    end
    y = col2im(B, block, a_size, kind{1});
    add(id, 'col2im', [options {'size', sprintf('[%d,%d]', a_size)}], {'B', matrix(B)}, {'output', matrix(y)});
  end
end

for sizes = {[3 5], [4 4], [1 6], [7 1], [5 8]}
  shape = sizes{1};
  id = sprintf('of %s', by(shape));
  A = draw([id ' real'], shape);
  Z = A + 1i * draw([id ' imaginary'], shape);
  Y = fft2(Z);
  add(['fft2, ' id], 'fft2', {}, {'re', matrix(real(Z)), 'im', matrix(imag(Z))}, {'re', matrix(real(Y)), 'im', matrix(imag(Y))});
  Y = complex(ifft2(Z));
  add(['ifft2, ' id], 'ifft2', {}, {'re', matrix(real(Z)), 'im', matrix(imag(Z))}, {'re', matrix(real(Y)), 'im', matrix(imag(Y))});
  for axis = 0:1
    Y = complex(fft(Z, [], axis + 1));
    options = {'axis', num2str(axis)};
    add(sprintf('fftAlong %d, %s', axis, id), 'fftAlong', options, {'re', matrix(real(Z)), 'im', matrix(imag(Z))}, {'re', matrix(real(Y)), 'im', matrix(imag(Y))});
    Y = complex(ifft(Z, [], axis + 1));
    add(sprintf('ifftAlong %d, %s', axis, id), 'ifftAlong', options, {'re', matrix(real(Z)), 'im', matrix(imag(Z))}, {'re', matrix(real(Y)), 'im', matrix(imag(Y))});
  end
  add(['fftshift, ' id], 'fftshift', {}, {'A', matrix(A)}, {'output', matrix(fftshift(A))});
  add(['ifftshift, ' id], 'ifftshift', {}, {'A', matrix(A)}, {'output', matrix(ifftshift(A))});
end

for sizes = {[3 1 10], [1 3 10], [4 4 20], [2 5 3], [6 2 1]}
  lengths = sizes{1};
  id = sprintf('of %d over %d, %d samples', lengths);
  b = draw([id ' b'], lengths(1));
  a = draw([id ' a'], lengths(2));
  a(1) = 2;
  x = draw([id ' x'], lengths(3));
  add(['filter ' id], 'filter', {}, {'b', vector(b), 'a', vector(a), 'x', vector(x)}, {'output', vector(filter(b, a, x))});
end

for sizes = {[5 2], [4 4], [2 5], [9 3], [3 1]}
  lengths = sizes{1};
  id = sprintf('of %d by %d', lengths);
  y = draw([id ' y'], lengths(1));
  a = draw([id ' a'], lengths(2));
  a(1) = 1;
  q = deconv(y.', a.');
  add(['deconv ' id], 'deconv', {}, {'y', vector(y), 'a', vector(a)}, {'output', vector(q)});
  % Octave takes a single number for the largest lag.
  if lengths(2) > 1
    add(['xcorr ' id], 'xcorr', {}, {'a', vector(y), 'b', vector(a)}, {'output', vector(xcorr(y, a))});
  end
  C = convmtx(y, lengths(2));
  add(['convmtx ' id], 'convmtx', {'n', num2str(lengths(2))}, {'h', vector(y)}, {'output', matrix(C)});
end

write_family('octave_signal', 'image 2.14.0, signal 1.4.3');
