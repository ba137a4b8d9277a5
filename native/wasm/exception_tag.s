# The tag that all exceptions of C++ have: units that throw declare it.
	.globl	__cpp_exception
	.tagtype	__cpp_exception i32
__cpp_exception:
