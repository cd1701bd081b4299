# Cross-compiles for 64-bit Arm with Debian's g++-aarch64-linux-gnu and runs tests under qemu-user-static:
#   cmake -S . -B build/aarch64 -G Ninja --toolchain cmake/aarch64-linux-gnu.cmake -DLFM_CLI=OFF -DLFM_PULL=OFF
#   ninja -C build/aarch64 test_kernels && build/aarch64/tests/test_kernels
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static -cpu max)
