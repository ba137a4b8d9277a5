import { isasOf } from '../isas/list.mjs';

/** What a binary is built for. */
function target(platform, arch, triple) {
  const name = `${platform}-${arch}`;
  return {
    name,
    platform,
    arch,
    file: `${name}/convmat.node`,
    triple,
    isas: isasOf('native', { platform, arch }),
  };
}

// The floors that docs/install.md promises, and the Node-API of Node 20.
export const GLIBC_FLOOR = '2.28';
export const MACOS_FLOOR = '11.0';
export const NODE_API = 8;
// What Node looks up in an addon; exports.map has the same.
export const EXPORTS = ['napi_register_module_v1', 'node_api_module_get_api_version_v1'];

export const targets = [
  target('linux', 'x64', `x86_64-linux-gnu.${GLIBC_FLOOR}`),
  target('linux', 'arm64', `aarch64-linux-gnu.${GLIBC_FLOOR}`),
  target('win32', 'x64', 'x86_64-windows-gnu'),
  target('win32', 'arm64', 'aarch64-windows-gnu'),
  target('darwin', 'x64', `x86_64-macos.${MACOS_FLOOR}`),
  target('darwin', 'arm64', `aarch64-macos.${MACOS_FLOOR}`),
];
