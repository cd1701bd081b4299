# Compiler flags of the ISA files (family__suffix.cc). -O3 unrolls the short loops over lanes and parts; unused
# helpers of the shared .inl files are expected. -ffp-contract=off comes from lfm_flags and must stay.
set(lfm_isa_common -O3 -Wno-unused-function -Wno-unused-const-variable)
function(lfm_isa suffix)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/kernels/*__${suffix}.cc)
  set_source_files_properties(${sources} PROPERTIES COMPILE_OPTIONS "${lfm_isa_common};${ARGN}")
endfunction()

lfm_isa(scalar)
