# The client library and the program nearshelf.
nearshelf_library(NAME program_run SOURCES support/program_run.c)
target_include_directories(program_run PUBLIC support)
target_link_libraries(program_run PUBLIC base)
nearshelf_library(NAME rpc_peer SOURCES support/rpc_peer.c)
target_include_directories(rpc_peer PUBLIC support)
target_link_libraries(rpc_peer PUBLIC base PkgConfig::MSGPACK PkgConfig::JANSSON Threads::Threads)

nearshelf_test(integration/test_client.c LABEL integration DEPS nearshelf_static rpc_peer)
nearshelf_test(integration/test_client_retry.c LABEL integration
  DEPS nearshelf_static rpc_peer PkgConfig::UV)
nearshelf_test(integration/test_client_chaos.c LABEL integration
  DEPS nearshelf_static rpc_peer base)
# The builder and the readers, with the library's insides in reach.
nearshelf_test(unit/test_client_params.c LABEL unit DEPS client_objects base wire)
nearshelf_test(unit/test_cli_csv.c LABEL unit DEPS cli_csv)
nearshelf_test(integration/test_cli.c LABEL integration DEPS rpc_peer program_run util
  ARGS $<TARGET_FILE:nearshelf>)
add_dependencies(test_cli nearshelf)
if(TARGET nearshelfd)
  nearshelf_test(integration/test_client_engine.c LABEL integration TIMEOUT 120
    DEPS nearshelf_static program_run
    ARGS $<TARGET_FILE:nearshelfd> $<TARGET_FILE:nearshelf>)
  add_dependencies(test_client_engine nearshelfd nearshelf)
endif()

# The library as its users get it. A sanitizer's run-time is not part of an installation.
add_executable(rpc_peer_run support/rpc_peer_run.c)
target_link_libraries(rpc_peer_run PRIVATE rpc_peer nearshelf_flags)
if(NOT NEARSHELF_SANITIZE)
  add_test(NAME integration.client_package COMMAND ${CMAKE_COMMAND}
    -DBUILD=${CMAKE_BINARY_DIR} -DSOURCE=${CMAKE_SOURCE_DIR}
    -DWORK=${CMAKE_CURRENT_BINARY_DIR}/client_package -DPEER=$<TARGET_FILE:rpc_peer_run>
    -DCC=${CMAKE_C_COMPILER} -DNM=${CMAKE_NM} -DPKG_CONFIG=${PKG_CONFIG_EXECUTABLE}
    -P ${CMAKE_CURRENT_SOURCE_DIR}/integration/client_package.cmake)
  set_tests_properties(integration.client_package PROPERTIES LABELS integration TIMEOUT 120)
endif()
