# lfm_layer(NAME DEPENDS...): all src/NAME/*.cc as the object library lfm_NAME.
# DEPENDS are the layers below it; scripts/check_arrows.py holds the includes to the same arrows.
function(lfm_layer name)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cc)
  add_library(lfm_${name} OBJECT ${sources})
  target_link_libraries(lfm_${name} PUBLIC lfm_flags)
  foreach(dependency ${ARGN})
    target_link_libraries(lfm_${name} PUBLIC lfm_${dependency})
  endforeach()
endfunction()
