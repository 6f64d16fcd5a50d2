<?php
// SPDX-License-Identifier: MIT
//
// Answers the same request in PHP-FPM, with the same statement. Its database connection is persistent;
// PHP keeps nothing else between requests, so it parses the key for each one.

$authorization = $_SERVER['HTTP_AUTHORIZATION'];
[$header, $claims, $signature] = explode('.', substr($authorization, strlen('Bearer ')));
$decode = fn ($text) => base64_decode(strtr($text, '-_', '+/'));
$key = file_get_contents($_SERVER['KHEOPS_KEY']);
if (openssl_verify("$header.$claims", $decode($signature), $key, OPENSSL_ALGO_SHA256) !== 1) {
    http_response_code(401);
    exit;
}
$album = explode('/', $_SERVER['PATH_INFO'])[2];

$database = new PDO('pgsql:' . $_SERVER['KHEOPS_DATABASE'] . ";options='-c jit=off'", options: [
    PDO::ATTR_PERSISTENT => true,
    PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
    // One round trip instead of three: a prepared statement would end with the request.
    PDO::PGSQL_ATTR_DISABLE_PREPARES => true,
]);
$parameters = ['$1' => ':sub', '$2' => ':album', '$3' => ':url', '$4' => ':limit', '$5' => ':offset'];
$statement = $database->prepare(strtr(file_get_contents($_SERVER['KHEOPS_STATEMENT']), $parameters));
$sub = json_decode($decode($claims))->sub;
$statement->execute(['sub' => $sub, 'album' => $album, 'url' => null, 'limit' => null, 'offset' => 0]);

$elements = fn ($array) => explode(',', trim($array, '{}'));
$list = [];
foreach ($statement->fetchAll(PDO::FETCH_ASSOC) as $row) {
    $webhook = [
        'id' => $row['id'],
        'url' => $row['url'],
        'name' => $row['name'],
        'use_secret' => $row['use_secret'],
        'events' => array_values(array_filter(
            ['new_series', 'remove_series', 'new_user', 'delete_album'],
            fn ($event) => $row[$event]
        )),
        'enabled' => $row['enabled'],
    ];
    if ($row['last_trigger_ids'] !== null) {
        $webhook['last_triggers'] = array_map(
            fn ($id, $passes) => ['id' => $id, 'status' => $passes === 't' ? 'pass' : 'fail'],
            $elements($row['last_trigger_ids']),
            $elements($row['last_trigger_passes'])
        );
    }
    $webhook['number_of_triggers'] = $row['number_of_triggers'];
    $list[] = $webhook;
}
$body = json_encode($list, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE);
header('Content-Type: application/json');
header('X-Total-Count: ' . $row['total']);
header('Content-Length: ' . strlen($body));
echo $body;
