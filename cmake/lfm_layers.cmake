# lfm_layer(NAME DEPENDS...): all src/NAME/*.cc as the object library lfm_NAME.
# DEPENDS are the layers right below it. The calls in src/CMakeLists.txt are the one place that states the house's arrows:
# what is reached through them may be included (scripts/check_arrows.py reads them there), is linked along, and nothing else.
function(lfm_layer name)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cc)
  if(NOT sources)  # a folder that has no code yet, or a core built without it
    set(sources ${PROJECT_BINARY_DIR}/layer_is_empty.cc)
    file(TOUCH ${sources})
  endif()
  add_library(lfm_${name} OBJECT ${sources})
  target_link_libraries(lfm_${name} PUBLIC lfm_flags)
  set(closure ${name})
  foreach(dependency ${ARGN})
    target_link_libraries(lfm_${name} PUBLIC lfm_${dependency})
    get_property(below GLOBAL PROPERTY lfm_closure_${dependency})
    list(APPEND closure ${below})
  endforeach()
  list(REMOVE_DUPLICATES closure)
  set_property(GLOBAL PROPERTY lfm_closure_${name} ${closure})
endfunction()

# lfm_link_layers(TARGET LAYERS...): links these layers and all below them into a program or library.
# Objects are not passed on by CMake through object libraries, so each layer is named.
function(lfm_link_layers target)
  set(all)
  foreach(layer ${ARGN})
    get_property(closure GLOBAL PROPERTY lfm_closure_${layer})
    list(APPEND all ${closure})
  endforeach()
  list(REMOVE_DUPLICATES all)
  foreach(layer ${all})
    target_link_libraries(${target} PRIVATE lfm_${layer})
  endforeach()
endfunction()
