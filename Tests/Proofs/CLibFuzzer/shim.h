// libFuzzer as a library (https://llvm.org/docs/LibFuzzer.html): it comes with the compiler, but without a header.
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*check)(const uint8_t *data, size_t size));
