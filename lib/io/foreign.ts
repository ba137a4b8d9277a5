/** Files of other formats, which a reader should know when it is given one: the error says what to do instead. */

const TORCH =
  'a PyTorch checkpoint (.pt, .pth), which is a Python program: in Python, ' +
  "save its tensors with safetensors.torch.save_file(model.state_dict(), 'model.safetensors') for readSafetensors, " +
  "or with numpy.savez('model.npz', **{k: v.cpu().numpy() for k, v in model.state_dict().items()}) for readNpz";

/** What an archive is that has PyTorch's pickled directory in it; undefined for others. */
export function foreignArchive(names: readonly string[]): string | undefined {
  return names.some((name) => name.endsWith('/data.pkl') || name === 'data.pkl') ? TORCH : undefined;
}

const MAGICS: readonly (readonly [magic: string, what: string])[] = [
  ['\x93NUMPY', 'an .npy array (readNpy)'],
  [
    'PK\x03\x04',
    'a zip archive: readNpz for an .npz; a PyTorch checkpoint (.pt) has to be saved as .npz or .safetensors',
  ],
  [
    '\x89HDF\r\n\x1a\n',
    'an HDF5 file (.h5, .mat of version 7.3): in Python, read it with h5py and save it with numpy.savez',
  ],
  ['MATLAB 5.0 MAT-file', "a .mat file: in Python, numpy.savez('file.npz', **scipy.io.loadmat('file.mat'))"],
  ['%%MatrixMarket', 'a Matrix Market file (readMatrixMarket)'],
  ['BZh', 'a file compressed by bzip2: expand it first'],
  ['\xfd7zXZ', 'a file compressed by xz: expand it first'],
  ['\x1f\x8b', 'a file compressed by gzip: expand it first'],
];

/** The most bytes that foreignBytes looks at. */
export const LONGEST_MAGIC = 20;

/** What bytes that begin so are, with what to do instead; undefined when nothing is known of them. */
export function foreignBytes(start: Uint8Array): string | undefined {
  const text = Buffer.from(start.subarray(0, LONGEST_MAGIC)).toString('latin1');
  // Pickles of protocol 2 and later begin so, and PyTorch's files before 1.6 are such.
  if (text[0] === '\x80' && text[1] >= '\x02' && text[1] <= '\x05') return TORCH;
  return MAGICS.find(([magic]) => text.startsWith(magic))?.[1];
}
