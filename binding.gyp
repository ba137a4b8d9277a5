# The addon, by node-gyp: build/Release/convmat.node. One static library per instruction set (targets.gypi), since flags
# are per target; everything else is compiled for the baseline of the architecture. CMakeLists.txt builds the same from
# the same native/sources.json and lists/isas.json.
{
  'includes': ['native/isa/targets.gypi'],
  'variables': {
    'isa_flags%': ['<!@(node -p "require(\'./native/sources.json\').isa_flags.join(\' \')")'],
  },
  'target_defaults': {
    'include_dirs': ['native'],
    'cflags_cc': ['-std=c++17', '-Werror=switch', '-ffp-contract=off', '-fvisibility=hidden', '-fvisibility-inlines-hidden', '-fno-lto'],
    'cflags_cc!': ['-std=gnu++17', '-std=gnu++20', '-flto', '-flto=4'],
    'xcode_settings': {
      'CLANG_CXX_LANGUAGE_STANDARD': 'c++17',
      'GCC_SYMBOLS_PRIVATE_EXTERN': 'YES',
      'MACOSX_DEPLOYMENT_TARGET': '11.0',
      'OTHER_CPLUSPLUSFLAGS': ['-Werror=switch', '-ffp-contract=off'],
    },
    'msvs_settings': {
      'VCCLCompilerTool': {
        'AdditionalOptions': ['/std:c++17', '/fp:precise', '/utf-8'],
        'WholeProgramOptimization': 'false',
      },
      'VCLinkerTool': {'LinkTimeCodeGeneration': 0},
    },
  },
  'targets': [
    {
      'target_name': 'convmat',
      'sources': [
        '<!@(node -p "require(\'./native/sources.json\').core.join(\' \')")',
        '<!@(node -p "require(\'./native/sources.json\').door.join(\' \')")',
        '<!@(node -p "require(\'./native/sources.json\').addon.join(\' \')")',
      ],
      'dependencies': ['<@(isa_targets)'],
      'include_dirs': ['<!(node -p "require(\'node-addon-api\').include_dir")'],
      'defines': ['<!@(node -p "require(\'./native/sources.json\').addon_defines.join(\' \')")'],
      # An allocation that fails is caught where C++ meets JavaScript. GCC vectorises at -O2 what Clang does only with
      # the cost model of -O3.
      'cflags_cc': [
        '-O2', '-fvect-cost-model', '-fexceptions', '-ffunction-sections', '-fdata-sections'
      ],
      'cflags!': ['-O3'],
      'cflags_cc!': ['-fno-exceptions'],
      'xcode_settings': {'GCC_ENABLE_CPP_EXCEPTIONS': 'YES', 'GCC_OPTIMIZATION_LEVEL': '2'},
      'msvs_settings': {'VCCLCompilerTool': {'ExceptionHandling': 1}},
      'conditions': [
        ['OS=="linux"', {'ldflags': ['-Wl,--gc-sections', '-Wl,-z,noexecstack']}],
      ],
    },
  ],
}
