%% Starts ejabberd in a plain Erlang node (no distribution, no epmd, no system user) and makes the accounts that
%% stand in DIR/accounts, one "user password" a line; DIR/ready appears when all is done.
-module(boot).
-export([go/1]).

go(Dir) ->
    {ok, _} = application:ensure_all_started(ejabberd),
    {ok, Text} = file:read_file(Dir ++ "/accounts"),
    Accounts = [list_to_tuple(binary:split(Line, <<" ">>)) || Line <- binary:split(Text, <<"\n">>, [global, trim_all])],
    Host = <<"localhost">>,
    [ok = made(ejabberd_auth:try_register(User, Host, Password)) || {User, Password} <- Accounts],
    case filelib:is_file(Dir ++ "/all-friends") of
        true ->
            [mod_admin_extra:add_rosteritem(A, Host, B, Host, B, <<"">>, <<"both">>)
             || {A, _} <- Accounts, {B, _} <- Accounts, A =/= B];
        false -> ok
    end,
    ok = file:write_file(Dir ++ "/ready", "ok").

made(ok) -> ok;
made({error, exists}) -> ok;
made(Other) -> Other.
