# The addon, by node-gyp: build/Release/convmat.node. One static library per instruction set, since flags are per
# target; everything else is compiled for the baseline of the architecture. CMakeLists.txt builds the same from the
# same native/sources.json.
{
  'variables': {
    'isa_flags%': ['<!@(node -p "require(\'./native/sources.json\').isa_flags.join(\' \')")'],
  },
  'target_defaults': {
    'include_dirs': ['native'],
    'cflags_cc': ['-std=c++17', '-ffp-contract=off', '-fvisibility=hidden', '-fvisibility-inlines-hidden', '-fno-lto'],
    'cflags_cc!': ['-std=gnu++17', '-std=gnu++20', '-flto', '-flto=4'],
    'xcode_settings': {
      'CLANG_CXX_LANGUAGE_STANDARD': 'c++17',
      'GCC_SYMBOLS_PRIVATE_EXTERN': 'YES',
      'MACOSX_DEPLOYMENT_TARGET': '11.0',
      'OTHER_CPLUSPLUSFLAGS': ['-ffp-contract=off'],
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
        '<!@(node -p "require(\'./native/sources.json\').addon.join(\' \')")',
      ],
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
        ['target_arch=="x64"', {'dependencies': ['convmat_avx2', 'convmat_avx512']}],
        ['target_arch=="arm64"', {'dependencies': ['convmat_neon']}, {'dependencies': ['convmat_generic']}],
        ['OS=="linux"', {'ldflags': ['-Wl,--gc-sections', '-Wl,-z,noexecstack']}],
      ],
    },
    {
      'target_name': 'convmat_generic',
      'type': 'static_library',
      'sources': ['<!(node -p "require(\'./native/sources.json\').isa.generic.source")'],
      'variables': {'flags': ['<!@(node -p "require(\'./native/sources.json\').isa.generic.flags.join(\' \')")']},
      'cflags_cc': ['<@(isa_flags)', '<@(flags)'],
      'xcode_settings': {'OTHER_CPLUSPLUSFLAGS': ['<@(isa_flags)', '<@(flags)']},
    },
  ],
  'conditions': [
    ['target_arch=="x64"', {
      'targets': [
        {
          'target_name': 'convmat_avx2',
          'type': 'static_library',
          'sources': ['<!(node -p "require(\'./native/sources.json\').isa.avx2.source")'],
          'variables': {'flags': ['<!@(node -p "require(\'./native/sources.json\').isa.avx2.flags.join(\' \')")']},
          'cflags_cc': ['<@(isa_flags)', '<@(flags)'],
          'xcode_settings': {'OTHER_CPLUSPLUSFLAGS': ['<@(isa_flags)', '<@(flags)']},
          'msvs_settings': {'VCCLCompilerTool': {'AdditionalOptions': [
            '<!@(node -p "require(\'./native/sources.json\').isa.avx2.msvc_flags.join(\' \')")'
          ]}},
        },
        {
          'target_name': 'convmat_avx512',
          'type': 'static_library',
          'sources': ['<!(node -p "require(\'./native/sources.json\').isa.avx512.source")'],
          'variables': {'flags': ['<!@(node -p "require(\'./native/sources.json\').isa.avx512.flags.join(\' \')")']},
          'cflags_cc': ['<@(isa_flags)', '<@(flags)'],
          'xcode_settings': {'OTHER_CPLUSPLUSFLAGS': ['<@(isa_flags)', '<@(flags)']},
          'msvs_settings': {'VCCLCompilerTool': {'AdditionalOptions': [
            '<!@(node -p "require(\'./native/sources.json\').isa.avx512.msvc_flags.join(\' \')")'
          ]}},
        },
      ],
    }],
    ['target_arch=="arm64"', {
      'targets': [
        {
          'target_name': 'convmat_neon',
          'type': 'static_library',
          'sources': ['<!(node -p "require(\'./native/sources.json\').isa.neon.source")'],
          'cflags_cc': ['<@(isa_flags)'],
          'xcode_settings': {'OTHER_CPLUSPLUSFLAGS': ['<@(isa_flags)']},
        },
      ],
    }],
  ],
}
