# liblfm, shared and static, of the core's objects; and what `cmake --install` puts where.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(lfm_objects)
foreach(layer ${lfm_core_layers})
  list(APPEND lfm_objects $<TARGET_OBJECTS:lfm_${layer}>)
endforeach()

add_library(lfm_shared SHARED ${lfm_objects})
add_library(lfm_static STATIC ${lfm_objects})
set_target_properties(lfm_shared PROPERTIES OUTPUT_NAME lfm EXPORT_NAME lfm VERSION ${PROJECT_VERSION} SOVERSION 0)
set_target_properties(lfm_static PROPERTIES OUTPUT_NAME lfm EXPORT_NAME lfm_static)
# Only lfm_* leaves the shared library; what the compiler instantiates of the standard library stays inside.
target_link_options(lfm_shared PRIVATE -Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/lfm.map)
set_property(TARGET lfm_shared APPEND PROPERTY LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/lfm.map)
target_link_libraries(lfm_shared PRIVATE ${UTF8PROC_LINK_LIBRARIES} $<BUILD_INTERFACE:lfm_flags>)
target_link_libraries(lfm_static INTERFACE ${UTF8PROC_LINK_LIBRARIES} Threads::Threads)
foreach(library lfm_shared lfm_static)
  target_include_directories(${library} INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  set_target_properties(${library} PROPERTIES LINKER_LANGUAGE CXX LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}
    ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
endforeach()

configure_file(${PROJECT_SOURCE_DIR}/cmake/lfm.pc.in lfm.pc @ONLY)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/lfm)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/lfm-config.cmake.in lfm-config.cmake
  INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(lfm-config-version.cmake COMPATIBILITY SameMinorVersion)

install(TARGETS lfm_shared lfm_static EXPORT lfm-targets)
install(EXPORT lfm-targets NAMESPACE lfm:: DESTINATION ${package_dir})
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/lfm-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/lfm-config-version.cmake
  DESTINATION ${package_dir})
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/lfm.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/lfm DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
if(TARGET lfm_program)
  install(TARGETS lfm_program)
endif()
