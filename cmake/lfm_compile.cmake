# Compiler settings shared by every target, as the interface library lfm_flags.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
if(LFM_SANITIZE)
  set(CMAKE_CXX_FLAGS_RELEASE "-O1 -DNDEBUG")
endif()

find_program(LFM_CCACHE ccache)
if(LFM_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${LFM_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${LFM_CCACHE})
endif()

find_package(Threads REQUIRED)

add_library(lfm_flags INTERFACE)
# No contraction and no fast-math: the order and rounding of every float operation is a contract (docs/numerics.md).
target_compile_options(lfm_flags INTERFACE
  -ffp-contract=off -fno-math-errno -fno-trapping-math
  -Wall -Wextra -Wpedantic -Werror -Wshadow -Wnon-virtual-dtor -Wcast-align -Woverloaded-virtual
  -Wformat=2 -Wimplicit-fallthrough -Wunused -Wundef -Wvla
  $<$<COMPILE_LANGUAGE:CXX>:-Wold-style-cast>
  $<$<COMPILE_LANGUAGE:CXX>:-Wextra-semi>
  -Wno-psabi  # vectors wider than the baseline's registers pass between inlined functions only
  # gcc gives vector types in templates attributes that it then warns about.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-ignored-attributes>)
target_include_directories(lfm_flags INTERFACE ${PROJECT_SOURCE_DIR}/src)
target_link_libraries(lfm_flags INTERFACE Threads::Threads)

if(LFM_SANITIZE STREQUAL "address")
  # RapidJSON's empty stack adds an offset to a null pointer before it compares.
  target_compile_options(lfm_flags INTERFACE -fsanitize=address,undefined -fno-sanitize=pointer-overflow -fno-sanitize-recover=all
    -fno-omit-frame-pointer -g1)
  target_link_options(lfm_flags INTERFACE -fsanitize=address,undefined)
elseif(LFM_SANITIZE STREQUAL "thread")
  # ThreadSanitizer does not know fences; Asio's stand beside locks that it does know, and can be left out.
  target_compile_options(lfm_flags INTERFACE -fsanitize=thread -g1)
  target_compile_definitions(lfm_flags INTERFACE BOOST_ASIO_DISABLE_FENCED_BLOCK)
  target_link_options(lfm_flags INTERFACE -fsanitize=thread)
elseif(LFM_SANITIZE)
  message(FATAL_ERROR "LFM_SANITIZE is '${LFM_SANITIZE}'; use address, thread or nothing")
endif()
if(LFM_FUZZ)
  target_compile_options(lfm_flags INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(lfm_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
