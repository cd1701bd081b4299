// The program lfm.
#include "cli/program.h"

int main(int argc, char** argv) { return lfm::cli::RunProgram(argc, argv); }
