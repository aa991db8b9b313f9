# Seeded bugs: that all of them still apply everywhere, that the first five are noticed in dev.
find_program(NEARSHELF_PYTHON NAMES python3 PATHS /usr/bin NO_DEFAULT_PATH)
add_test(NAME mutants.apply COMMAND ${NEARSHELF_PYTHON}
  ${CMAKE_CURRENT_SOURCE_DIR}/mutants/mutants.py --check)
set_tests_properties(mutants.apply PROPERTIES LABELS mutants TIMEOUT 30)
if(CMAKE_BUILD_TYPE STREQUAL "Debug" AND NOT NEARSHELF_SANITIZE)
  add_test(NAME mutants.first_five COMMAND ${NEARSHELF_PYTHON}
    ${CMAKE_CURRENT_SOURCE_DIR}/mutants/mutants.py --first 5
    --work ${PROJECT_BINARY_DIR}/mutants)
  set_tests_properties(mutants.first_five PROPERTIES LABELS mutants TIMEOUT 900 RUN_SERIAL ON)
endif()
