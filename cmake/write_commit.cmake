# Writes the commit that is being built to OUT, and touches it only when it changed. Empty outside of a repository.
execute_process(COMMAND git -C ${SOURCE} describe --always --dirty --abbrev=10 --exclude=*
  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
file(CONFIGURE OUTPUT ${OUT} CONTENT "#define LFM_COMMIT \"${commit}\"\n")
