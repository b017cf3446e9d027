/* engines.c once more, as an engine for subrosa.h. */
#define PORTED
#include "engines.c"
