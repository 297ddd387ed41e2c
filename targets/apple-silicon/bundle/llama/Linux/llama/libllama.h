// Found by `swift build -Xcc -I/where/llama.h/is -Xlinker -L/where/libllama.so/is`.
#include <ggml.h>
#include <llama.h>
