# Installs the client into an empty folder and builds the example of CLIENT.md with it: by the
# CMake package and by pkg-config, shared and static; then runs each against a scripted server.
# Variables: BUILD, SOURCE (project root), WORK (scratch), PEER (rpc_peer_run), CC, NM, PKG_CONFIG.

function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE code OUTPUT_VARIABLE out ERROR_VARIABLE err)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "${ARGV}\n${code}\n${out}${err}")
  endif()
  set(run_output "${out}" PARENT_SCOPE)
endfunction()

function(expect_route program)
  run(${PEER} ${program})
  if(NOT run_output STREQUAL "mitte, 1.284 km\n")
    message(FATAL_ERROR "${program} printed: ${run_output}")
  endif()
endfunction()

file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})
run(${CMAKE_COMMAND} --install ${BUILD} --component client --prefix ${WORK}/prefix)

file(READ ${SOURCE}/proto/CLIENT.md text)
string(REGEX MATCH "```c\n(.*)\n```\n\n    cc " found "${text}")
if(NOT found)
  message(FATAL_ERROR "CLIENT.md has no example")
endif()
file(WRITE ${WORK}/example.c "${CMAKE_MATCH_1}\n")

file(WRITE ${WORK}/project/CMakeLists.txt [[
cmake_minimum_required(VERSION 3.16)
project(consumer LANGUAGES C)
find_package(nearshelf 0.1 REQUIRED)
add_executable(with_shared ../example.c)
target_link_libraries(with_shared nearshelf::nearshelf)
add_executable(with_static ../example.c)
target_link_libraries(with_static nearshelf::nearshelf_static)
]])
run(${CMAKE_COMMAND} -S ${WORK}/project -B ${WORK}/consumer
  -DCMAKE_C_COMPILER=${CC} -DCMAKE_PREFIX_PATH=${WORK}/prefix)
run(${CMAKE_COMMAND} --build ${WORK}/consumer)
expect_route(${WORK}/consumer/with_shared)
expect_route(${WORK}/consumer/with_static)

file(GLOB_RECURSE pc ${WORK}/prefix/nearshelf.pc)
get_filename_component(pc_folder ${pc} DIRECTORY)
set(ENV{PKG_CONFIG_PATH} ${pc_folder})
get_filename_component(lib_folder ${pc_folder} DIRECTORY)
run(${PKG_CONFIG} --cflags --libs nearshelf)
separate_arguments(flags UNIX_COMMAND "${run_output}")
run(${CC} -Wall -Wextra -Werror ${WORK}/example.c -o ${WORK}/by_pc ${flags}
  -Wl,-rpath,${lib_folder})
expect_route(${WORK}/by_pc)
run(${PKG_CONFIG} --static --cflags --libs nearshelf)
string(REPLACE "-lnearshelf" "-l:libnearshelf.a" run_output "${run_output}")
separate_arguments(flags UNIX_COMMAND "${run_output}")
run(${CC} ${WORK}/example.c -o ${WORK}/by_pc_static ${flags})
expect_route(${WORK}/by_pc_static)

# Nothing but nearshelf_... leaves either library.
foreach(arguments "-D;${lib_folder}/libnearshelf.so" "${lib_folder}/libnearshelf.a")
  run(${NM} --defined-only --extern-only --format=posix ${arguments})
  string(REGEX MATCHALL "\n[^\n ]+ [A-Z] " symbols "\n${run_output}")
  foreach(symbol ${symbols})
    if(NOT symbol MATCHES "^\nnearshelf_")
      message(FATAL_ERROR "${arguments} exports ${symbol}")
    endif()
  endforeach()
  list(LENGTH symbols count)
  if(count LESS 40)
    message(FATAL_ERROR "${arguments}: only ${count} symbols")
  endif()
endforeach()
