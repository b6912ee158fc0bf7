# The strict reader's sources, for whoever is made of them: include() this from beside it.
set(format "${CMAKE_CURRENT_LIST_DIR}")
set(format_sources)
foreach(name json json_reader json_string layers numbers plain_numbers raw_layer read_model text_window)
  list(APPEND format_sources "${format}/${name}.cpp")
endforeach()
