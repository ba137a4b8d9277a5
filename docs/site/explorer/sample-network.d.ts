/** The bytes of a small network that PyTorch exported, in base64: build.mjs takes it from the golden files. */
declare module 'sample-network' {
  const base64: string;
  export default base64;
}
