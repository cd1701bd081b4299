# lfm_layer(NAME DEPENDS...): all src/NAME/*.cc as the object library lfm_NAME.
# DEPENDS are the layers below it; scripts/check_arrows.py holds the includes to the same arrows.
function(lfm_layer name)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cc)
  if(NOT sources)  # a folder that has no code yet, or a core built without it
    set(sources ${PROJECT_BINARY_DIR}/layer_is_empty.cc)
    file(TOUCH ${sources})
  endif()
  add_library(lfm_${name} OBJECT ${sources})
  target_link_libraries(lfm_${name} PUBLIC lfm_flags)
  foreach(dependency ${ARGN})
    target_link_libraries(lfm_${name} PUBLIC lfm_${dependency})
  endforeach()
endfunction()
