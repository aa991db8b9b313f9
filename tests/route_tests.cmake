# Tests of the decision. The world is a library of its own: tables made by hand.
add_library(test_world STATIC ${CMAKE_CURRENT_LIST_DIR}/support/world.c)
target_include_directories(test_world PUBLIC ${CMAKE_CURRENT_LIST_DIR}/support)
target_link_libraries(test_world PUBLIC route PRIVATE nearshelf_flags)
nearshelf_test(model/test_nearest.c LABEL model TIMEOUT 60 DEPS test_world m)
nearshelf_test(model/test_strategy.c LABEL model TIMEOUT 120 DEPS test_world)
nearshelf_test(model/test_split.c LABEL model TIMEOUT 300 DEPS test_world m)
nearshelf_test(unit/test_route.c LABEL unit DEPS test_world)
nearshelf_test(unit/test_nearest_block.c LABEL unit DEPS test_world)
nearshelf_test(model/test_guess.c LABEL model TIMEOUT 60 DEPS test_world)
# A strategy without distance, of load alone: found by another seed than the usual one.
add_test(NAME model.test_guess_load COMMAND test_guess 14000083 1)
set_tests_properties(model.test_guess_load PROPERTIES LABELS model TIMEOUT 60)
