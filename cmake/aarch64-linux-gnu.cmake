# Cross-compiles for 64-bit Arm with Debian's g++-aarch64-linux-gnu and runs tests under qemu-user-static (its -cpu max
# has dotprod and i8mm). ./test.sh aarch64 does it for the kernel tests, which need no other package for that machine.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static -cpu max)
