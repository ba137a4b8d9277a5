# Written by scripts/isas/write.mjs from lists/isas.json, and by nothing else.
# One static library per instruction set, and in `isa_targets` those that the addon of this machine has.
{
  'variables': {
    'variables': {
      'isa_targets': [],
      'conditions': [
        ['target_arch=="x64" and OS=="linux" and OS!="mac"', {'isa_targets': ['convmat_amx']}],
        ['target_arch=="x64" and OS!="mac"', {'isa_targets': ['convmat_avx512']}],
        ['target_arch=="x64"', {'isa_targets': ['convmat_avx2']}],
        ['target_arch=="arm64"', {'isa_targets': ['convmat_neon']}],
        ['target_arch!="arm64"', {'isa_targets': ['convmat_generic']}],
      ],
    },
    'isa_targets': ['<@(isa_targets)'],
  },
  'conditions': [
    ['target_arch=="x64" and OS=="linux" and OS!="mac"', {
      'targets': [{
        'target_name': 'convmat_amx',
        'type': 'static_library',
        'sources': ['amx.cc'],
        'cflags_cc': ['<@(isa_flags)', '-mavx512f', '-mavx512bw', '-mavx512dq', '-mavx512vl', '-mfma', '-mbmi2', '-mprefer-vector-width=512'],
        'xcode_settings': {'OTHER_CPLUSPLUSFLAGS': ['<@(isa_flags)', '-mavx512f', '-mavx512bw', '-mavx512dq', '-mavx512vl', '-mfma', '-mbmi2', '-mprefer-vector-width=512']},
        'msvs_settings': {'VCCLCompilerTool': {'AdditionalOptions': ['/arch:AVX512']}},
      }],
    }],
    ['target_arch=="x64" and OS!="mac"', {
      'targets': [{
        'target_name': 'convmat_avx512',
        'type': 'static_library',
        'sources': ['avx512.cc'],
        'cflags_cc': ['<@(isa_flags)', '-mavx512f', '-mavx512bw', '-mavx512dq', '-mavx512vl', '-mfma', '-mbmi2', '-mprefer-vector-width=512'],
        'xcode_settings': {'OTHER_CPLUSPLUSFLAGS': ['<@(isa_flags)', '-mavx512f', '-mavx512bw', '-mavx512dq', '-mavx512vl', '-mfma', '-mbmi2', '-mprefer-vector-width=512']},
        'msvs_settings': {'VCCLCompilerTool': {'AdditionalOptions': ['/arch:AVX512']}},
      }],
    }],
    ['target_arch=="x64"', {
      'targets': [{
        'target_name': 'convmat_avx2',
        'type': 'static_library',
        'sources': ['avx2.cc'],
        'cflags_cc': ['<@(isa_flags)', '-mavx2', '-mfma'],
        'xcode_settings': {'OTHER_CPLUSPLUSFLAGS': ['<@(isa_flags)', '-mavx2', '-mfma']},
        'msvs_settings': {'VCCLCompilerTool': {'AdditionalOptions': ['/arch:AVX2']}},
      }],
    }],
    ['target_arch=="arm64"', {
      'targets': [{
        'target_name': 'convmat_neon',
        'type': 'static_library',
        'sources': ['neon.cc'],
        'cflags_cc': ['<@(isa_flags)'],
        'xcode_settings': {'OTHER_CPLUSPLUSFLAGS': ['<@(isa_flags)']},
        'msvs_settings': {'VCCLCompilerTool': {'AdditionalOptions': []}},
      }],
    }],
    ['target_arch!="arm64"', {
      'targets': [{
        'target_name': 'convmat_generic',
        'type': 'static_library',
        'sources': ['generic.cc'],
        'cflags_cc': ['<@(isa_flags)', '-O2'],
        'xcode_settings': {'OTHER_CPLUSPLUSFLAGS': ['<@(isa_flags)', '-O2']},
        'msvs_settings': {'VCCLCompilerTool': {'AdditionalOptions': []}},
      }],
    }],
  ],
}
