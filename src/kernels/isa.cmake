# Compiler flags of the ISA files (family__suffix.cc). Optimised ones unroll the short loops over lanes and parts
# (-O3); unused helpers of the shared .inl files are expected. -ffp-contract=off comes from lfm_flags and must stay.
set(lfm_isa_common -Wno-unused-function -Wno-unused-const-variable)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  list(APPEND lfm_isa_common -Wno-maybe-uninitialized -Wno-uninitialized)  # the undefined inputs of its own intrinsics
endif()
# Sanitized tests spend most of their time here, where fuzzing has no branches to find.
set(lfm_optimised -O3)
if(LFM_SANITIZE)
  set(lfm_optimised -O2)
  list(APPEND lfm_isa_common -O2)
endif()
if(LFM_FUZZ)
  list(APPEND lfm_isa_common -fno-sanitize=fuzzer-no-link)
endif()
set(lfm_avx2 ${lfm_optimised} -mavx2 -mfma -mf16c)
set(lfm_avx512 ${lfm_avx2} -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni -mprefer-vector-width=512)

# lfm_isa(SUFFIX PROCESSORS FLAGS...): the files of one ISA, taken out of the build on other processors.
function(lfm_isa suffix processors)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*/*__${suffix}.cc)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "${processors}")
    # Their operations are the scalar file's, which stays checked; here undefined behaviour doubled the longest compilations.
    if(LFM_SANITIZE STREQUAL "address" AND NOT suffix STREQUAL "scalar")
      list(APPEND ARGN -fno-sanitize=undefined)
    endif()
    set_source_files_properties(${sources} PROPERTIES COMPILE_OPTIONS "${lfm_isa_common};${ARGN}"
      SKIP_UNITY_BUILD_INCLUSION ON)
  else()
    set_source_files_properties(${sources} PROPERTIES HEADER_FILE_ONLY TRUE)
  endif()
endfunction()

lfm_isa(scalar ".*")
lfm_isa(avx2 "x86_64|AMD64" ${lfm_avx2})
lfm_isa(avxvnni "x86_64|AMD64" ${lfm_avx2} -mavxvnni)
lfm_isa(avx512vnni "x86_64|AMD64" ${lfm_avx512})
lfm_isa(avx512vbmi "x86_64|AMD64" ${lfm_avx512} -mavx512vbmi)
lfm_isa(amx "x86_64|AMD64" ${lfm_avx512} -mamx-tile -mamx-int8)
lfm_isa(neon "aarch64|arm64" ${lfm_optimised} -march=armv8.2-a+dotprod+fp16)
lfm_isa(i8mm "aarch64|arm64" ${lfm_optimised} -march=armv8.2-a+dotprod+fp16+i8mm)
